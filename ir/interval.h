// Owns: interval arithmetic on the integer types and bool: the interval of a result from those of the inputs.
#pragma once

#include "ir/bounds.h"
#include "ir/node.h"

namespace bw::ir {

// All values of the dtype. For u64 it ends at INT64_MAX, which then stands for "that or more".
Interval whole_range(DType dtype);
// low..high where the dtype holds it, else the whole range with `overflow` set.
Interval fit_interval(DType dtype, __int128 low, __int128 high);

// One of the ops for which is_binary() holds; `dtype` is that of the inputs.
Interval binary_interval(Op op, DType dtype, const Interval& a, const Interval& b);
Interval cast_interval(DType from, DType to, const Interval& a);
Interval bitcast_interval(DType from, DType to, const Interval& a);
// The result of a reduction over at least `min_count` and at most `max_count` values.
Interval reduce_interval(Op op, DType dtype, const Interval& value, int64_t min_count, int64_t max_count);

}  // namespace bw::ir
