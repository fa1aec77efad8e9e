"""The same lowering for NVIDIA GPUs: a plan as PTX, one thread per element or per row.

    kernel(i64 count, ptr arrays, ptr sizes, ptr strides, ptr scalars, ptr scratch, i64
    scratch_bytes, ptr fault)

Tables, arrays, scratch memory (`scratch_bytes` per thread) and `fault` lie in device memory.
Statements, conversions and reductions are those of `kernel.py` with one lane; what differs is who
runs which index. Every multiplication and addition stays rounded by itself (`.rn`), so that
pointwise results have the bits of the host.
"""

from __future__ import annotations

from ..fuser.plan import LoopPlan, Unsupported
from .assembler import Lane, integer
from .kernel import KernelWriter
from .kernel_memory import Access, Layout, Shape
from .llvm import emit_device_assembly

ARCHITECTURE = "sm_90"
HEADER = (
    "define ptx_kernel void @kernel(i64 %count, ptr %arrays, ptr %sizes, ptr %strides, "
    "ptr %scalars, ptr %all_scratch, i64 %scratch_bytes, ptr %fault)"
)
_SCALAR = Shape(lanes=1, is_masked=False, has_f16c=False)


def ptx(plan: LoopPlan, rank: int, architecture: str = ARCHITECTURE) -> str:
    """A plan over so many dimensions as PTX.

    Raises:
        Unsupported: the generator has no code for something in the plan, or elements must be
            written one after the other.
    """
    if plan.is_ordered:
        raise Unsupported("elements that are written one after the other")
    return emit_device_assembly(DeviceWriter(plan, rank).write(), architecture)


class DeviceWriter(KernelWriter):
    """Writes the function of one plan for a GPU."""

    def __init__(self, plan: LoopPlan, rank: int) -> None:
        accesses = (Access.STRIDED,) * (len(plan.outputs) + len(plan.inputs))
        super().__init__(plan, Layout(rank, accesses), _SCALAR)

    def write(self) -> str:
        """The text of the module."""
        a, plan = self.a, self.plan
        a.store(integer(0, 32), self.fault)
        bases, sizes = self.begin(), self.outer_sizes()
        if not plan.has_rows:
            # Every element is a row of one, and all dimensions number the rows.
            sizes = [*sizes, *self.row_sizes]
            self.length = integer(1)
            self.row_sizes = [self.length]
        thread, threads = self.thread()
        own = a.mul(thread, Lane("%scratch_bytes", "i64"))
        scratch = a.offset(Lane("%all_scratch", "ptr"), own)
        a.write(f"%scratch = getelementptr i8, {scratch}, i64 0")
        index = a.slot("i64", 1, thread)
        with a.loop_while() as exit:
            place = a.load(index, "i64")
            exit.leave_unless(a.compare("slt", place, Lane("%count", "i64")))
            self.rows = self.row_pointers(bases, sizes, place)
            self.row()
            a.store(a.add(place, threads), index)
        failed = a.compare("ne", a.load(self.fault, "i32"), integer(0, 32))
        with a.when(failed):
            a.store(integer(1, 32), Lane("%fault", "ptr"))
        a.write("ret void")
        return a.function(HEADER)

    def thread(self) -> tuple[Lane, Lane]:
        """The number of this thread, and of all of them."""
        a = self.a
        number, size, block, blocks = (
            a.cast("zext", a.call(f"llvm.nvvm.read.ptx.sreg.{name}.x", [], "i32"), "i64")
            for name in ("tid", "ntid", "ctaid", "nctaid")
        )
        return a.add(a.mul(block, size), number), a.mul(size, blocks)
