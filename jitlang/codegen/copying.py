"""Strided copies between tensors, as loops around moves of whole lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import ir as ll

from .launch import merged

I64 = ll.IntType(64)
BYTE_POINTER = ll.IntType(8).as_pointer()
Number = Callable[[int], ll.Value]


def emit_copy(
    builder: ll.IRBuilder,
    target: ll.Value,
    written: Sequence[int],
    source: ll.Value,
    read: Sequence[int],
    shape: Sequence[int],
    itemsize: int,
    number: Number = I64,
) -> None:
    """Copy elements, in the order in which they are written in memory.

    Args:
        builder: where code goes; it stands behind the copy afterwards.
        target, source: pointers to the first elements.
        written, read: strides in bytes.
        shape: the sizes of both.
        itemsize: bytes of an element.
        number: makes a value of a size or a stride.
    """
    if 0 in shape:
        return
    order = sorted(range(len(shape)), key=lambda d: -abs(written[d]))
    shape, written, read = ([each[d] for d in order] for each in (shape, written, read))
    sizes, strides = merged(shape, [tuple(written), tuple(read)], range(len(shape)))
    outer, line = list(zip(sizes, *strides, strict=True)), itemsize
    if outer and outer[-1][1:] == (itemsize, itemsize):
        line = itemsize * outer.pop()[0]
    _copy_lines(builder, target, source, outer, line, number)


def emit_count(builder: ll.IRBuilder, target: ll.Value, count: ll.Value, kind: ll.Type) -> None:
    """Write the ints from 0 on, one at least, as elements of a type one after the other."""
    before = builder.block
    body, after = builder.append_basic_block("count"), builder.append_basic_block("counted")
    first = builder.bitcast(target, kind.as_pointer())
    builder.branch(body)
    builder.position_at_end(body)
    index = builder.phi(I64)
    index.add_incoming(I64(0), before)
    element = index if kind == I64 else builder.trunc(index, kind)
    builder.store(element, builder.gep(first, [index]))
    following = builder.add(index, I64(1))
    index.add_incoming(following, body)
    builder.cbranch(builder.icmp_signed("<", following, count), body, after)
    builder.position_at_end(after)


def _copy_lines(
    builder: ll.IRBuilder,
    target: ll.Value,
    source: ll.Value,
    outer: Sequence[tuple[int, int, int]],
    line: int,
    number: Number,
) -> None:
    if not outer:
        _move(builder, target, source, line, number)
        return
    count, written, read = outer[0]
    before = builder.block
    body, after = builder.append_basic_block("copy"), builder.append_basic_block("copied")
    builder.branch(body)
    builder.position_at_end(body)
    index = builder.phi(I64)
    index.add_incoming(I64(0), before)
    to = builder.gep(target, [builder.mul(index, number(written))])
    what = builder.gep(source, [builder.mul(index, number(read))])
    _copy_lines(builder, to, what, outer[1:], line, number)
    following = builder.add(index, I64(1))
    index.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, number(count)), body, after)
    builder.position_at_end(after)


def _move(
    builder: ll.IRBuilder, target: ll.Value, source: ll.Value, size: int, number: Number
) -> None:
    if size in (1, 2, 4, 8):
        pointer = ll.IntType(8 * size).as_pointer()
        value = builder.load(builder.bitcast(source, pointer), align=1)
        builder.store(value, builder.bitcast(target, pointer), align=1)
        return
    move = builder.module.globals.get("llvm.memcpy.p0.p0.i64")
    if move is None:
        type_ = ll.FunctionType(ll.VoidType(), [BYTE_POINTER, BYTE_POINTER, I64, ll.IntType(1)])
        move = ll.Function(builder.module, type_, "llvm.memcpy.p0.p0.i64")
    builder.call(move, [target, source, number(size), ll.IntType(1)(0)])
