"""Strided copies between tensors of known forms, as loops around moves of whole lines."""

from __future__ import annotations

from collections.abc import Sequence

from llvmlite import ir as ll

from .launch import merged

I64 = ll.IntType(64)
BYTE_POINTER = ll.IntType(8).as_pointer()


def emit_copy(
    builder: ll.IRBuilder,
    target: ll.Value,
    written: Sequence[int],
    source: ll.Value,
    read: Sequence[int],
    shape: Sequence[int],
    itemsize: int,
) -> None:
    """Copy elements.

    Args:
        builder: where code goes; it stands behind the copy afterwards.
        target, source: pointers to the first elements.
        written, read: strides in bytes.
        shape: the sizes of both.
        itemsize: bytes of an element.
    """
    if 0 in shape:
        return
    sizes, strides = merged(shape, [tuple(written), tuple(read)], range(len(shape)))
    outer, line = list(zip(sizes, *strides, strict=True)), itemsize
    if outer and outer[-1][1:] == (itemsize, itemsize):
        line = itemsize * outer.pop()[0]
    _copy_lines(builder, target, source, outer, line)


def _copy_lines(
    builder: ll.IRBuilder,
    target: ll.Value,
    source: ll.Value,
    outer: Sequence[tuple[int, int, int]],
    line: int,
) -> None:
    if not outer:
        _move(builder, target, source, line)
        return
    count, written, read = outer[0]
    before = builder.block
    body, after = builder.append_basic_block("copy"), builder.append_basic_block("copied")
    builder.branch(body)
    builder.position_at_end(body)
    index = builder.phi(I64)
    index.add_incoming(I64(0), before)
    to = builder.gep(target, [builder.mul(index, I64(written))])
    what = builder.gep(source, [builder.mul(index, I64(read))])
    _copy_lines(builder, to, what, outer[1:], line)
    following = builder.add(index, I64(1))
    index.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, I64(count)), body, after)
    builder.position_at_end(after)


def _move(builder: ll.IRBuilder, target: ll.Value, source: ll.Value, size: int) -> None:
    if size in (1, 2, 4, 8):
        pointer = ll.IntType(8 * size).as_pointer()
        value = builder.load(builder.bitcast(source, pointer), align=1)
        builder.store(value, builder.bitcast(target, pointer), align=1)
        return
    move = builder.module.globals.get("llvm.memcpy.p0.p0.i64")
    if move is None:
        type_ = ll.FunctionType(ll.VoidType(), [BYTE_POINTER, BYTE_POINTER, I64, ll.IntType(1)])
        move = ll.Function(builder.module, type_, "llvm.memcpy.p0.p0.i64")
    builder.call(move, [target, source, I64(size), ll.IntType(1)(0)])
