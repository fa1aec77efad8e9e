"""Numbers: Python's integer rules, floats, and loops of scalar arithmetic."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness import program


def floor_division(a: int, b: int) -> tuple[int, int, float]:
    return a // b, a % b, a / b


program(floor_division, (7, 2), (-7, 2), (7, -2), (-7, -2), (0, 5), fails=((1, 0),))


def float_floor_division(a: float, b: float) -> tuple[float, float]:
    return a // b, a % b


program(float_floor_division, (7.5, 2.0), (-7.5, 2.0), (7.5, -2.0), (0.3, 0.1), fails=((1.0, 0.0),))


def integer_power(a: int, n: int) -> int:
    total = 0
    for k in range(n):
        total += a**k
    return total + a**2 + 2**n


program(integer_power, (3, 4), (-2, 5), (0, 3), (10, 0))


def float_power(x: float, n: int) -> tuple[float, float, float]:
    return x**2, x**0.5, x ** (-n)


program(float_power, (2.0, 3), (0.25, 1))


def shifts_and_bits(a: int, b: int) -> list[int]:
    return [a & b, a | b, a ^ b, a << 3, a >> 2, ~a, -a, +b]


program(shifts_and_bits, (12, 10), (-12, 7), (0, 255), (1 << 40, -1))


def popcount(n: int) -> int:
    count = 0
    while n:
        count += n & 1
        n >>= 1
    return count


program(popcount, (0,), (255,), (0x123456789,))


def rounding(x: float) -> tuple[int, float, int, int, int]:
    return round(x), round(x, 1), math.floor(x), math.ceil(x), int(x)


program(rounding, (2.5,), (3.5,), (-2.5,), (0.5,), (2.449,), (-7.9,))


def factorial(n: int) -> int:
    product = 1
    for k in range(2, n + 1):
        product *= k
    return product


program(factorial, (0,), (5,), (20,), overflows=((21,), (30,)))


def sum_of_squares(start: int, step: int) -> int:
    total = start
    for k in range(5):
        total = total * total + step - k
    return total


program(sum_of_squares, (0, 1), (1, -1), overflows=((100000, 3),))


def fibonacci(n: int) -> int:
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


program(fibonacci, (0,), (1,), (10,), (90,))


def gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return abs(a)


program(gcd, (48, 36), (17, 5), (0, 9), (-12, 8))


def newton_root(x: float, tolerance: float = 1e-12) -> tuple[float, int]:
    guess, steps = x, 0
    while abs(guess * guess - x) > tolerance * x:
        guess = 0.5 * (guess + x / guess)
        steps += 1
    return guess, steps


program(newton_root, (2.0,), (1e6,), (9.0, 1e-3))


def mandelbrot(width: int, height: int, limit: int) -> list[str]:
    rows: list[str] = []
    for row in range(height):
        line = ""
        for column in range(width):
            cr = 3.0 * column / width - 2.0
            ci = 2.0 * row / height - 1.0
            zr, zi, n = 0.0, 0.0, 0
            while zr * zr + zi * zi <= 4.0 and n < limit:
                zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci
                n += 1
            line += "#" if n == limit else "."
        rows.append(line)
    return rows


program(mandelbrot, (24, 12, 30), (3, 2, 5))


def simpson(a: float, b: float, n: int) -> float:
    h = (b - a) / n
    total = math.sin(a) + math.sin(b)
    for k in range(1, n):
        weight = 4 if k % 2 == 1 else 2
        total += weight * math.sin(a + k * h)
    return total * h / 3.0


program(simpson, (0.0, math.pi, 10), (0.0, 1.0, 4))


def math_functions(x: float) -> dict[str, float]:
    return {
        "sqrt": math.sqrt(x),
        "exp": math.exp(-x),
        "log": math.log(x),
        "sin": math.sin(x),
        "cos": math.cos(x),
        "tanh": math.tanh(x),
        "atan2": math.atan2(x, 2.0),
        "pow": math.pow(x, 1.5),
        "fabs": math.fabs(-x),
        "pi": math.pi * x,
    }


program(math_functions, (0.5,), (3.0,))


def math_domain(x: float) -> float:
    return math.sqrt(x)


program(math_domain, (4.0,), fails=((-1.0,),))


def special_values(x: float) -> tuple[bool, bool, bool, float, float]:
    return math.isnan(x), math.isinf(x), x < math.inf, min(x, 1.0), -x


program(special_values, (1.5,), (math.inf,), (-math.inf,), (0.0,))


def conversions(x: float, n: int, flag: bool, text: str) -> list[str]:
    truths = [bool(x), bool(n), bool(text), not flag]
    numbers = [int(x), int(flag), int(text), n + int(text)]
    return [str(truths), str(numbers), str(float(n)), str(float(text)), str(n), str(flag)]


program(conversions, (2.75, 3, True, "12"), (0.0, 0, False, "-7"), fails=((1.0, 1, True, "x"),))


def mixed_arithmetic(n: int, x: float, flag: bool) -> tuple[float, float, int, float, int]:
    return n + x, n * x, n + flag, x - n, flag * n


program(mixed_arithmetic, (3, 0.5, True), (-2, 4.0, False))


def extremes(
    a: int, b: int, xs: list[float]
) -> tuple[int, int, float, float, float, tuple[int, int]]:
    return min(a, b), max(a, b, 3), min(xs), max(xs), sum(xs), divmod(a, b)


program(extremes, (7, -2, [1.5, -2.0, 8.25]), (1, 5, [0.5]), fails=((1, 0, [1.0]), (1, 1, [])))


def linear_congruential(seed: int, count: int) -> list[int]:
    state = seed
    numbers: list[int] = []
    for _ in range(count):
        state = (1103515245 * state + 12345) % 2147483648
        numbers.append(state >> 16 & 0x7FFF)
    return numbers


program(linear_congruential, (1, 6), (42, 3))


def modular_power(base: int, exponent: int, modulus: int) -> int:
    result = 1
    base %= modulus
    while exponent > 0:
        if exponent & 1 == 1:
            result = result * base % modulus
        exponent //= 2
        base = base * base % modulus
    return result


program(modular_power, (3, 200, 1000007), (2, 10, 1000), (7, 0, 13))
