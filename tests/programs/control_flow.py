"""Branches, loops over everything that can be looped over, and every kind of jump."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness import Tensor, normal, program, torch


def collatz(n: int) -> int:
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


program(collatz, (1,), (6,), (27,), tags="no-iterations")


def longest_collatz(limit: int) -> tuple[int, int]:
    best, best_steps = 1, 0
    for start in range(1, limit):
        steps = collatz(start)
        if steps > best_steps:
            best, best_steps = start, steps
    return best, best_steps


program(longest_collatz, (30,), (2,))


def fizz_buzz(n: int) -> list[str]:
    words: list[str] = []
    for i in range(1, n + 1):
        if i % 15 == 0:
            words.append("FizzBuzz")
        elif i % 3 == 0:
            words.append("Fizz")
        elif i % 5 == 0:
            words.append("Buzz")
        else:
            words.append(str(i))
    return words


program(fizz_buzz, (15,), (0,))


def sign_name(n: int) -> str:
    if n < 0:
        return "negative"
    elif n == 0:
        return "zero"
    else:
        name = "positive"
        if n > 100:
            return "large " + name
        return name


program(sign_name, (-5,), (0,), (7,), (101,), tags="return-early return-in-else")


def range_forms(n: int, step: int) -> list[list[int]]:
    down: list[int] = []
    for i in range(n, 0, -1):
        down.append(i)
    stepped: list[int] = []
    for i in range(-n, n, step):
        stepped.append(i)
    plain: list[int] = []
    for i in range(n):
        plain.append(i)
    return [down, stepped, plain]


program(range_forms, (5, 2), (4, 3), (0, 1), (3, -1), fails=((3, 0),), tags="no-iterations")


def smallest_factor(n: int) -> int:
    factor = n
    for d in range(2, n):
        if n % d == 0:
            factor = d
            break
    else:
        return -n
    return factor


program(smallest_factor, (15,), (49,), (13,), (2,), tags="for-else break-for")


def first_gap(xs: list[int]) -> int:
    candidate = 0
    while candidate in xs:
        candidate += 1
        if candidate > 5:
            break
    else:
        return candidate
    return -1


program(first_gap, ([0, 1, 3],), ([],), ([0, 1, 2, 3, 4, 5, 6],), tags="while-else break-while")


def search_grid(grid: list[list[int]], target: int) -> tuple[int, int]:
    for row, values in enumerate(grid):
        for column, value in enumerate(values):
            if value == target:
                return row, column
    return -1, -1


program(
    search_grid,
    ([[1, 2], [3, 4]], 3),
    ([[1, 2], [3, 4]], 9),
    ([[]], 0),
    tags="return-nested-loops return-in-for",
)


def prime_sieve(limit: int) -> list[int]:
    is_prime = [True] * (limit + 1)
    primes: list[int] = []
    for n in range(2, limit + 1):
        if not is_prime[n]:
            continue
        primes.append(n)
        for multiple in range(n * n, limit + 1, n):
            is_prime[multiple] = False
    return primes


program(prime_sieve, (30,), (1,), (2,), tags="continue-for")


def powers_until(limit: int) -> list[int]:
    powers = [1]
    while True:
        following = powers[-1] * 3
        if following > limit:
            break
        powers.append(following)
    return powers


program(powers_until, (100,), (1,), (3,), tags="while-true break-while")


def skip_and_stop(xs: list[int]) -> tuple[int, int]:
    total, seen = 0, 0
    for x in xs:
        if x < 0:
            continue
        seen += 1
        if x > 100:
            break
        total += x
    return total, seen


program(skip_and_stop, ([1, -5, 2, 200, 3],), ([],), ([-1],), tags="break-and-continue")


def drain(queue: list[int]) -> list[int]:
    taken: list[int] = []
    while len(queue) > 0:
        item = queue.pop(0)
        if item % 2:
            continue
        taken.append(item)
        if item > 2:
            queue.append(item - 3)
    return taken


program(drain, ([4, 1, 6],), ([],), tags="continue-while")


def return_from_while(n: int, limit: int) -> int:
    while n < limit:
        n = n * 2
        if n % 10 == 6:
            return n
    return -n


program(return_from_while, (1, 100), (5, 50), (9, 3), tags="return-in-while")


def triangle_pairs(n: int) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for i in range(n):
        for j in range(n):
            if j > i:
                break
            if (i + j) % 2:
                continue
            pairs.append((i, j))
    return pairs


program(triangle_pairs, (4,), (1,), (0,), tags="break-inner break-and-continue")


def pythagorean_triple(total: int) -> tuple[int, int, int]:
    for a in range(1, total):
        b = a
        while True:
            b += 1
            c = total - a - b
            if c <= b:
                break
            if a * a + b * b == c * c:
                return a, b, c
    return 0, 0, 0


program(pythagorean_triple, (12,), (30,), (7,), tags="while-true return-nested-loops break-inner")


def prime_pairs(n: int) -> list[int]:
    found: list[int] = []
    for a in range(2, n):
        for b in range(2, a):
            if a % b == 0:
                break
        else:
            found.append(a)
            continue
        found.append(-a)
    return found


program(prime_pairs, (12,), (2,), tags="for-else break-inner continue-for")


def loop_over_string(text: str) -> tuple[int, str]:
    vowels, backwards = 0, ""
    for letter in text:
        if letter in "aeiou":
            vowels += 1
        backwards = letter + backwards
    return vowels, backwards


program(loop_over_string, ("recurrence",), ("",))


def loop_over_tuple(triple: tuple[int, int, int]) -> int:
    total = 0
    for value in triple:
        total = total * 10 + value
    for value in (7, 8):
        total = total * 10 + value
    return total


program(loop_over_tuple, ((1, 2, 3),))


def loop_over_dict(table: dict[str, int]) -> tuple[list[str], int]:
    names: list[str] = []
    total = 0
    for name in table:
        names.append(name)
    for name, value in table.items():
        total += value * len(name)
    for value in table.values():
        total -= value
    for name in table.keys():
        names.append(name.upper())
    return names, total


program(loop_over_dict, ({"b": 2, "a": 1, "ccc": -3},), ({},))


def loop_over_tensor(xs: Tensor) -> tuple[Tensor, int]:
    total = torch.zeros_like(xs[0])
    rows = 0
    for row in xs:
        total = total + row * rows
        rows += 1
    return total, rows


program(loop_over_tensor, (normal(4, 3),), (normal(1, 2),))


def loop_over_unbound(xs: Tensor) -> list[Tensor]:
    sums: list[Tensor] = []
    for column in xs.unbind(1):
        sums.append(column.sum())
    return sums


program(loop_over_unbound, (normal(2, 3),))


def enumerate_forms(words: list[str]) -> list[str]:
    lines: list[str] = []
    for i, word in enumerate(words):
        lines.append(str(i) + word)
    for i, word in enumerate(words, 1):
        lines.append(str(i) + word)
    for i, word in enumerate(words, start=10):
        lines.append(str(i) + word)
    return lines


program(enumerate_forms, (["a", "b"],), ([],))


def zip_forms(a: list[int], b: list[float], names: list[str]) -> list[str]:
    lines: list[str] = []
    for x, y in zip(a, b):
        lines.append(str(x + y))
    for i, (name, x) in enumerate(zip(names, a)):
        lines.append(name + str(i * x))
    for x, y, name in zip(a, b, names):
        lines.append(name + str(x) if y > 0 else name)
    return lines


program(zip_forms, ([1, 2, 3], [0.5, -1.5], ["p", "q", "r"]), ([], [], []))


def loop_variable_afterwards(xs: list[int]) -> int:
    last = -1
    for last in xs:
        if last > 10:
            break
    return last


program(loop_variable_afterwards, ([1, 20, 3],), ([4, 5],), ([],), tags="break-for no-iterations")


def changed_in_the_loop(n: int) -> list[int]:
    seen: list[int] = []
    for i in range(n):
        seen.append(i)
        i = i * 10
        seen.append(i)
        n = 2
    seen.append(n)
    return seen


program(changed_in_the_loop, (3,), (0,))


def types_by_branch(x: Tensor, how: str) -> Tensor:
    if how == "double":
        y = x * 2
    elif how == "negate":
        y = -x
    else:
        pass
        y = x
    return y + 1


program(types_by_branch, (normal(2, 2), "double"), (normal(2, 2), "negate"), (normal(2), "same"))


def branch_on_tensor(x: Tensor) -> tuple[Tensor, int]:
    steps = 0
    while x.abs().max() > 1e-2:
        if x.sum() > 0:
            x = x * 0.5
        else:
            x = x * -0.25
        steps += 1
    return x, steps


program(branch_on_tensor, (normal(2, 3),), (-normal(3),))


def check_all(xs: list[int]) -> int:
    count = 0
    for x in xs:
        if x == 0:
            raise ValueError("zero at " + str(count))
        while x > 9:
            x //= 10
            if x == 5:
                raise KeyError(x)
        count += 1
    return count


program(check_all, ([1, 22, 333],), ([],), fails=(([1, 0],), ([57],)), tags="raise-in-loop")


def bubble_sort(xs: list[int]) -> int:
    swaps = 0
    for end in range(len(xs) - 1, 0, -1):
        changed = False
        for i in range(end):
            if xs[i] > xs[i + 1]:
                xs[i], xs[i + 1] = xs[i + 1], xs[i]
                swaps += 1
                changed = True
        if not changed:
            break
    return swaps


program(bubble_sort, ([3, 1, 2],), ([],), ([1, 2, 3],), ([5, 4, 3, 2, 1],), tags="break-for")


def binary_search(xs: list[int], target: int) -> int:
    low, high = 0, len(xs)
    while low < high:
        middle = (low + high) // 2
        if xs[middle] == target:
            return middle
        if xs[middle] < target:
            low = middle + 1
        else:
            high = middle
    return -low - 1


program(
    binary_search,
    ([1, 3, 5, 7], 5),
    ([1, 3, 5, 7], 4),
    ([], 1),
    tags="return-in-while no-iterations",
)


def edit_distance(a: str, b: str) -> int:
    previous = list(range(len(b) + 1))
    for i in range(len(a)):
        current = [i + 1]
        for j in range(len(b)):
            change = previous[j] + (0 if a[i] == b[j] else 1)
            current.append(min(min(previous[j + 1], current[j]) + 1, change))
        previous = current
    return previous[-1]


program(edit_distance, ("kitten", "sitting"), ("", "abc"), ("same", "same"))


def balanced(text: str) -> bool:
    stack: list[str] = []
    closing = {")": "(", "]": "["}
    for letter in text:
        if letter in closing:
            if not stack or stack.pop() != closing[letter]:
                return False
        elif letter in ["(", "["]:
            stack.append(letter)
    return not stack


program(balanced, ("([])(a)",), ("([)]",), ("((",), (")",), ("",), tags="return-in-for")
