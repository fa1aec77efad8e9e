"""Strings: f-strings, printing, methods, and small text algorithms."""

from typing import TYPE_CHECKING, Dict, List, Tuple

if TYPE_CHECKING:
    from harness import Tensor, normal, program


def plain_f_strings(n: int, name: str, flag: bool) -> List[str]:
    return [f"{n}", f"{name} has {n} items", f"{flag}", f"{n + 1}{name}", f"{name.upper()}", f""]


program(plain_f_strings, (3, "box", True))


def escaped_braces(n: int) -> Tuple[str, str, str]:
    return f"{{}} {n}", f"{{{n}}}", "{} {{}}".format(n)


program(escaped_braces, (3,))


def format_specs(x: float, n: int, name: str) -> List[str]:
    return [
        f"{x:.2f}",
        f"{x:8.3f}|",
        f"{x:+.1e}",
        f"{x:g}",
        f"{n:5d}|{n:<5d}|{n:^5d}|{n:05d}",
        f"{n:,}",
        f"{n:x} {n:#b}",
        f"{name:>6}|{name:*<6}|{name:^6}",
        f"{n:>{n % 10}}",
        f"{0.25:.1%}",
    ]


program(format_specs, (3.14159, 42, "ab"), (-0.001, 1234567, "longer"), (1e20, 8, ""))


def debug_f_strings(x: float, xs: List[int], name: str) -> List[str]:
    return [
        f"{x=}",
        f"{xs = }",
        f"{name=}",
        f"{name!r}",
        f"{name!s:>4}",
        f"{len(xs)=}",
        f"{x=:.1f}",
    ]


program(debug_f_strings, (0.5, [1, 2], "it's"), (1e16, [], 'a "b"\n'))


def text_of_values(
    x: float, n: int, flag: bool, xs: List[float], table: Dict[str, int], t: Tuple[int, str]
) -> List[str]:
    return [str(x), str(n), str(flag), str(xs), str(table), str(t), f"{xs} {table} {t}", str(None)]


program(
    text_of_values,
    (1.0, 2, True, [0.1, 1e-7], {"a": 1}, (1, "b")),
    (1e22, -2, False, [], {}, (0, "")),
)


def float_texts(xs: List[float]) -> List[str]:
    return [str(x) for x in xs]


program(float_texts, ([0.1, 1.0, 1e16, 1e15, 123456.789, 1e-5, -0.0, float("inf"), float("nan")],))


def printed(n: int, xs: List[int], name: str) -> None:
    print("start", n, name, xs, 0.5, True, None)
    for x in xs:
        print(f"  {x}: {x * n}")
    print()
    if not xs:
        print("nothing")


program(printed, (2, [1, 2], "a"), (0, [], "b"))


def print_options(a: int, b: str) -> None:
    print(a, b, sep="-")
    print(a, end="; ")
    print(b, a, sep="", end="\n\n")


program(print_options, (1, "x"))


def string_tests(s: str) -> List[bool]:
    return [
        s.isdigit(),
        s.isalpha(),
        s.isspace(),
        s.isupper(),
        s.startswith("ab"),
        s.endswith("c"),
        "b" in s,
        s == "abc",
        s < "b",
        s.isalnum(),
    ]


program(string_tests, ("abc",), ("12",), ("  ",), ("",), ("AB c",))


def string_transforms(s: str) -> List[str]:
    return [
        s.upper(),
        s.lower(),
        s.title(),
        s.capitalize(),
        s.swapcase(),
        s.strip(),
        s.lstrip(),
        s.rstrip(" c"),
        s.replace("b", "--"),
        s.center(9, "*"),
        s.ljust(8) + "|",
        s.rjust(8, "0"),
        s.zfill(7),
        s * 2,
    ]


program(string_transforms, (" ab c",), ("Hello World",), ("",))


def string_searches(s: str, part: str) -> List[int]:
    return [s.find(part), s.rfind(part), s.count(part), len(s), s.find("z"), ord(s[0])]


program(string_searches, ("abcabc", "bc"), ("xyz", "a"), fails=(("", "a"),))


def string_splitting(s: str) -> Tuple[List[str], List[str], List[str], str, Tuple[str, str, str]]:
    words = s.split()
    return words, s.split(","), s.splitlines(), "-".join(words), s.partition(",")


program(string_splitting, ("a b,c  d",), ("line one\nline, two",), ("",))


def string_indexing(s: str, i: int) -> List[str]:
    return [s[0], s[-1], s[i], s[1:], s[:-1], s[::-1], s[::2], s[i:0:-1], s[5:]]


program(string_indexing, ("abcd", 2), ("z", 0), fails=(("ab", 2), ("", 0)))


def percent_and_format(n: int, x: float, name: str) -> List[str]:
    return [
        "%d of %s" % (n, name),
        "%.3f" % x,
        "{} and {}".format(n, name),
        "{1} before {0}".format(n, name),
        "{:.2f}|{:>5}".format(x, n),
        "{name}: {n}".format(name=name, n=n),
    ]


program(percent_and_format, (3, 0.5, "x"))


def caesar(text: str, shift: int) -> str:
    coded = ""
    for letter in text:
        if letter.isalpha():
            base = ord("a") if letter.islower() else ord("A")
            coded += chr((ord(letter) - base + shift) % 26 + base)
        else:
            coded += letter
    return coded


program(caesar, ("Hello, World!", 3), ("Khoor", -3), ("", 1))


def run_lengths(text: str) -> List[Tuple[str, int]]:
    runs: List[Tuple[str, int]] = []
    for letter in text:
        if runs and runs[-1][0] == letter:
            runs[-1] = (letter, runs[-1][1] + 1)
        else:
            runs.append((letter, 1))
    return runs


program(run_lengths, ("aaabccd",), ("",), ("z",))


def n_grams(text: str, n: int) -> Dict[str, int]:
    counts: Dict[str, int] = {}
    for i in range(len(text) - n + 1):
        gram = text[i : i + n]
        counts[gram] = counts.get(gram, 0) + 1
    return counts


program(n_grams, ("abababc", 2), ("aa", 3), ("hello", 1))


def word_report(text: str) -> str:
    counts: Dict[str, int] = {}
    for word in text.lower().split():
        word = word.strip(".,!")
        if not word:
            continue
        if word in counts:
            counts[word] += 1
        else:
            counts[word] = 1
    lines: List[str] = []
    for word in sorted(counts.keys()):
        lines.append(f"{word:<6}{counts[word]:>3}")
    return "\n".join(lines)


program(word_report, ("The cat. The dog, the end!",), ("",), (" . ",))


def roman(n: int) -> str:
    text = ""
    values = [1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1]
    numerals = ["M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"]
    for value, numeral in zip(values, numerals):
        while n >= value:
            text += numeral
            n -= value
    return text


program(roman, (1994,), (3,), (0,))


def tokens(text: str) -> List[str]:
    found: List[str] = []
    at = 0
    while at < len(text):
        if text[at] == " ":
            at += 1
            continue
        end = at + 1
        if text[at].isdigit():
            while end < len(text) and text[end].isdigit():
                end += 1
        elif text[at] not in "+-*/()":
            raise ValueError(f"bad character {text[at]!r} at {at}")
        found.append(text[at:end])
        at = end
    return found


def evaluate_sums(text: str) -> int:
    total, sign = 0, 1
    for token in tokens(text):
        if token == "-":
            sign = -1
        elif token == "+":
            sign = 1
        else:
            total += sign * int(token)
    return total


program(
    evaluate_sums,
    ("12 + 30-2",),
    ("",),
    fails=(("1 $ 2",), ("1*2",)),
    tags="raise-in-loop continue-while",
)


def text_of_tensors(x: Tensor) -> List[str]:
    return [
        f"{x.sum().item():.3f}",
        f"{list(x.shape)}",
        f"{x.size(0)}x{x.size(1)}",
        f"{x.numel():04d}",
    ]


program(text_of_tensors, (normal(2, 3),))
