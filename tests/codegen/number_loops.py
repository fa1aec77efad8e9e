"""Loops over numbers that several tests run natively."""

from __future__ import annotations


def collatz(limit: int) -> int:
    longest = 0
    for start in range(1, limit):
        n, steps = start, 0
        while n != 1:
            n = n // 2 if n % 2 == 0 else 3 * n + 1
            steps += 1
        longest = max(longest, steps)
    return longest


def mandelbrot(width: int, height: int, limit: int) -> int:
    total = 0
    for row in range(height):
        for column in range(width):
            x0, y0 = column * 3.5 / width - 2.5, row * 2.0 / height - 1.0
            x, y, count = 0.0, 0.0, 0
            while x * x + y * y <= 4.0 and count < limit:
                x, y = x * x - y * y + x0, 2.0 * x * y + y0
                count += 1
            total += count
    return total
