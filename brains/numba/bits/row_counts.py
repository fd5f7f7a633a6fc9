"""Count set bits in the columns of rows of bits, and add counts times a weight to the targets.

A row has one bit for each target; rows are those of neurons that spiked. Rows are added line by line, a line
being 512 bits: eight rows at a time pass through carry-save adders into eight bit planes, the binary digits
of 512 counts (Harley and Seal's tree; Muła, Kurz, Lemire 2018, Comput J 61:111). Then the planes are unpacked
to bytes, one word of 64 targets at a time, and count × weight is added to each target. On a processor without
registers of 512 bits the compiler uses several smaller ones.

This is written in LLVM's vector types because Numba has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

WORD = 64
"""Targets in a word."""
LINE = 8
"""Words in a line."""
COUNTER_LIMIT = 255
"""Rows that may be counted before the eight planes overflow."""
ONE_BY_ONE = 4
"""Rows up to which bytes are incremented one by one: faster than the adders for the few of one cluster."""
FEW = 31
"""Rows that five planes can count: most steps of most networks need no more."""
SEGMENT = 32
"""Words in a segment of targets: 2,048 neurons, whose currents and state take 80 kB. Smaller segments cost
more bookkeeping, larger ones leave threads idle at the end of a step."""
POOL_BYTES = 2**16
"""Bytes of a pool of random bits: two pools for each of two probabilities fit the second-level cache."""
POOL_STRIDE = POOL_BYTES + 8 * SEGMENT + 8 * LINE
"""Bytes from one pool to the next: the first ones are repeated, as far as a segment reads from the last."""
AHEAD = 2 * LINE
"""Words that are fetched ahead from memory: rows of random neurons lie anywhere, and no processor guesses
where."""
_GROUP = 8  # rows that pass through the adders together
_PLANES, _FEW_PLANES = 8, 5

_int32, _int64 = ir.IntType(32), ir.IntType(64)
_line = ir.VectorType(_int64, LINE)
_tuple_of: Callable[..., Any] = types.UniTuple
_unpacked: Callable[..., Any] = cgutils.unpack_tuple


class _Rows(NamedTuple):
    """Code that loads a line, or one word, of a row; both are given the row's number and a word."""

    line: Callable[[Any, Any], Any]
    word: Callable[[Any, Any], Any]


class _Span(NamedTuple):
    """Rows and words that are counted."""

    rows: Any
    first: Any
    end: Any


def _generate_add_stored(
    typing_context: Any,
    into: Any,
    receptor: Any,
    bits: Any,
    place: Any,
    span: Any,
    weight: Any,
) -> Any:
    """Add weight × number of rows with the bit set to the targets of some words in `into[receptor]`.

    `span` is the number of rows (at most `COUNTER_LIMIT`), the first word and the last word + 1. Row i begins
    at the word `place[i]` of `bits`; word w belongs to the targets 64 w … 64 w + 63. Whole lines are read.
    """
    signature = types.void(into, types.intp, bits, place, _tuple_of(types.intp, 3), into.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        into, receptor, bits, place, span, weight = arguments
        words = _data(context, builder, signature.args[2], bits)
        places = _data(context, builder, signature.args[3], place)

        def address(row: Any, word: Any) -> Any:
            return builder.gep(words, [builder.add(builder.load(builder.gep(places, [row])), word)])

        def line(row: Any, word: Any) -> Any:
            begin = address(row, word)
            _prefetch(builder, builder.gep(begin, [word.type(AHEAD)]))
            return builder.load(builder.bitcast(begin, _line.as_pointer()), align=8)

        def single_word(row: Any, word: Any) -> Any:
            return builder.load(address(row, word))

        target = _element(context, builder, signature.args[0], into, receptor)
        _add(context, builder, _Rows(line, single_word), _span(builder, span), target, weight)
        return context.get_dummy_value()

    return signature, generate


def _generate_add_generated(
    typing_context: Any,
    into: Any,
    receptor: Any,
    pool: Any,
    pools: Any,
    place: Any,
    span: Any,
    weight: Any,
) -> Any:
    """Add rows (`add_stored`) that are made from two pools of bits (`generated_rows.py`).

    `pools` are the first byte of the two in `pool`, and a word with all bits set to draw the complement.
    The digits of `place[i]` are a byte of each pool (16 bits each) and a rotation (6 bits).
    """
    span = _tuple_of(types.intp, 3)
    signature = types.void(into, types.intp, pool, pools, place, span, into.dtype)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        into, receptor, pool, pools, place, span, weight = arguments
        begin = builder.gep(
            _data(context, builder, signature.args[2], pool), [builder.extract_value(pools, 0)]
        )
        inverted = builder.extract_value(pools, 1)
        places = _data(context, builder, signature.args[4], place)

        def load(row: Any, word: Any, kind: Any) -> Any:
            digits = builder.load(builder.gep(places, [row]))
            offset = builder.mul(word, word.type(8))
            parts = []
            for number in range(2):
                start = builder.and_(builder.lshr(digits, _int64(16 * number)), _int64(0xFFFF))
                start = builder.add(builder.add(start, offset), _int64(number * POOL_STRIDE))
                address = builder.bitcast(builder.gep(begin, [start]), kind.as_pointer())
                parts.append(builder.load(address, align=1))
            both, left = builder.and_(*parts), builder.and_(builder.lshr(digits, _int64(32)), _int64(63))
            complement = inverted
            if kind is _line:
                left, complement = _splat(builder, left, LINE), _splat(builder, inverted, LINE)
            rotate = _external(
                builder.module,
                ir.FunctionType(kind, [kind] * 3),
                "llvm.fshl." + ("v8i64" if kind is _line else "i64"),
            )
            return builder.xor(builder.call(rotate, [both, both, left]), complement)

        target = _element(context, builder, signature.args[0], into, receptor)
        made = _Rows(lambda row, word: load(row, word, _line), lambda row, word: load(row, word, _int64))
        _add(context, builder, made, _span(builder, span), target, weight)
        return context.get_dummy_value()

    return signature, generate


def _span(builder: Any, numbers: Any) -> _Span:
    """Return the three numbers of a span that compiled code hands over."""
    return _Span(*_unpacked(builder, numbers, 3))


def _add(context: Any, builder: Any, load: _Rows, span: _Span, target: Any, weight: Any) -> None:
    """Add weight × count for some words of some rows; `target` is the address of the first word's targets."""
    one_by_one = builder.icmp_signed("<=", span.rows, span.rows.type(ONE_BY_ONE))
    with builder.if_else(one_by_one) as (then, otherwise):
        with then:
            _add_one_by_one(context, builder, load, span, target, weight)
        with otherwise:
            few = builder.icmp_signed("<=", span.rows, span.rows.type(FEW))
            begin, step = builder.and_(span.first, span.first.type(-LINE)), span.first.type(LINE)
            with cgutils.for_range_slice(builder, begin, span.end, step) as (line, _):
                planes = _count(builder, span.rows, lambda row: load.line(row, line))
                words = _common(builder, span, line)
                with builder.if_else(few) as branches:
                    for branch, used in zip(branches, (_FEW_PLANES, _PLANES), strict=True):
                        with branch:
                            _add_planes(context, builder, (planes, used, line), words, target, weight)


def _add_one_by_one(context: Any, builder: Any, load: _Rows, span: _Span, target: Any, weight: Any) -> None:
    """Add few rows (`_add`): the bits of a word are the mask under which bytes are incremented."""
    counters = ir.VectorType(ir.IntType(8), WORD)
    with builder.goto_entry_block():
        kept = builder.alloca(counters)
    with cgutils.for_range_slice(builder, span.first, span.end, span.first.type(1)) as (word, _):
        builder.store(counters(None), kept)
        with cgutils.for_range(builder, span.rows) as loop:
            digits = _digits(builder, load.word(loop.index, word), 1)
            builder.store(builder.add(builder.load(kept), digits), kept)
        _add_counts(context, builder, builder.load(kept), word, target, weight)


def _common(builder: Any, span: _Span, line: Any) -> tuple[Any, Any]:
    """Return the words that a line and the span have in common."""
    after = builder.add(line, line.type(LINE))
    first = builder.select(builder.icmp_signed("<", line, span.first), span.first, line)
    return first, builder.select(builder.icmp_signed("<", after, span.end), after, span.end)


def _add_planes(
    context: Any, builder: Any, planes: tuple[Any, int, Any], words: tuple[Any, Any], target: Any, weight: Any
) -> None:
    """Add weight × count for some words of a line whose counts are in bit planes."""
    kept, used, line = planes
    masks = builder.bitcast(kept, _int64.as_pointer())
    with cgutils.for_range_slice(builder, *words, line.type(1)) as (word, _):
        counts = ir.VectorType(ir.IntType(8), WORD)(None)
        for plane in range(used):
            place = builder.add(builder.sub(word, line), word.type(plane * LINE))
            mask = builder.load(builder.gep(masks, [place]))
            counts = builder.add(counts, _digits(builder, mask, 1 << plane))
        _add_counts(context, builder, counts, word, target, weight)


def _count(builder: Any, rows: Any, load: Callable[[Any], Any]) -> Any:
    """Count the rows that `load` gives, and return the address of the bit planes."""
    zero, unit = rows.type(0), rows.type(1)
    with builder.goto_entry_block():
        planes = [builder.alloca(_line) for _ in range(_PLANES)]
        kept = builder.alloca(_line, _int32(_PLANES))
    for plane in planes:
        builder.store(_line(None), plane)
    left = builder.and_(rows, rows.type(_GROUP - 1))
    whole = builder.sub(rows, left)
    with cgutils.for_range_slice(builder, zero, whole, rows.type(_GROUP)) as (group, _):
        _add_group(builder, planes, [load(builder.add(group, rows.type(i))) for i in range(_GROUP)])
    with builder.if_then(builder.icmp_signed("!=", left, zero)):
        lines, last = [], builder.sub(rows, unit)
        for i in range(_GROUP - 1):
            row = builder.add(whole, rows.type(i))
            exists = builder.icmp_signed("<", row, rows)
            line = load(builder.select(exists, row, last))
            lines.append(builder.select(exists, line, _line(None)))
        _add_group(builder, planes, [*lines, _line(None)])
    for i, plane in enumerate(planes):
        builder.store(builder.load(plane), builder.gep(kept, [_int32(i)]))
    return kept


def _add_group(builder: Any, planes: Sequence[Any], lines: Sequence[Any]) -> None:
    """Add eight lines to the planes: each plane's carries are two, then one, then ripple on."""
    carries = list(lines)
    for plane in planes[:3]:
        total, onward = builder.load(plane), []
        for a, b in zip(carries[::2], carries[1::2], strict=True):
            total, carry = _full_adder(builder, total, a, b)
            onward.append(carry)
        builder.store(total, plane)
        carries = onward
    (carry,) = carries
    for plane in planes[3:]:
        total = builder.load(plane)
        builder.store(builder.xor(total, carry), plane)
        carry = builder.and_(total, carry)


def _full_adder(builder: Any, a: Any, b: Any, c: Any) -> tuple[Any, Any]:
    """Return sum and carry of three bits in each column; the carry, a choice, is one instruction."""
    differ = builder.xor(a, b)
    carry = builder.or_(builder.and_(differ, c), builder.and_(builder.not_(differ), a))
    return builder.xor(differ, c), carry


def _digits(builder: Any, mask: Any, digit: int) -> Any:
    """Return 64 bytes that are `digit` where the mask has a bit, else 0."""
    counters = ir.VectorType(ir.IntType(8), WORD)
    truths = builder.bitcast(mask, ir.VectorType(ir.IntType(1), WORD))
    return builder.select(truths, counters([ir.IntType(8)(digit)] * WORD), counters(None))


def _add_counts(context: Any, builder: Any, counts: Any, word: Any, target: Any, weight: Any) -> None:
    """Add count × weight to the 64 targets of a word."""
    numbers = ir.VectorType(target.type.pointee, WORD)
    align = context.get_abi_sizeof(target.type.pointee)  # arrays are aligned to their items, not to vectors
    effect = builder.fmul(builder.uitofp(counts, numbers), _splat(builder, weight, WORD))
    address = builder.gep(target, [builder.mul(word, word.type(WORD))])
    address = builder.bitcast(address, numbers.as_pointer())
    builder.store(builder.fadd(builder.load(address, align=align), effect), address, align=align)


def _splat(builder: Any, value: Any, length: int) -> Any:
    """Return a vector of one value."""
    kind = ir.VectorType(value.type, length)
    first = builder.insert_element(kind(ir.Undefined), value, _int32(0))
    return builder.shuffle_vector(first, kind(ir.Undefined), ir.VectorType(_int32, length)(None))


def _prefetch(builder: Any, address: Any) -> None:
    """Ask for the cache line of an address, which need not exist."""
    place = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [place, _int32, _int32, _int32])
    function = _external(builder.module, kind, "llvm.prefetch.p0")
    builder.call(function, [builder.bitcast(address, place), _int32(0), _int32(3), _int32(1)])


_external: Callable[..., Any] = cgutils.get_or_insert_function


def _data(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """Return the address of the first element of a contiguous array."""
    return context.make_array(kind)(context, builder, array).data


def _element(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> Any:
    """Return the address of the first element of a row of a C-contiguous matrix."""
    columns = builder.extract_value(context.make_array(kind)(context, builder, array).shape, 1)
    return builder.gep(_data(context, builder, kind, array), [builder.mul(row, columns)])


add_stored: Callable[..., None] = intrinsic(_generate_add_stored)
add_generated: Callable[..., None] = intrinsic(_generate_add_generated)


def _generate_mask(typing_context: Any, marks: Any, word: Any) -> Any:
    """Return the 64 marks of a word, a byte each, as bits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        marks, word = arguments
        address = builder.gep(
            _data(context, builder, signature.args[0], marks), [builder.mul(word, word.type(WORD))]
        )
        counters = ir.VectorType(ir.IntType(8), WORD)
        values = builder.load(builder.bitcast(address, counters.as_pointer()), align=1)
        return builder.bitcast(builder.icmp_unsigned("!=", values, counters(None)), _int64)

    return types.uint64(marks, types.intp), generate


def _generate_lowest(typing_context: Any, mask: Any) -> Any:
    """Return the place of the lowest bit of a mask that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(types.uint64), generate


mask_of: Callable[..., Any] = intrinsic(_generate_mask)
lowest: Callable[..., int] = intrinsic(_generate_lowest)
