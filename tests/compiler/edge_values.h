// Owns: for tests: the values of a dtype at which operations go wrong, and comparing results within units in the last
// place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "ir/dtype.h"

namespace bw::testing {

// Raw elements: zeros, ones, extremes, denormals, infinities, NaNs (quiet and signalling), powers of two, ties.
std::vector<std::byte> edge_elements(ir::DType dtype);
// `count` elements, about half of them edge values, the others random bits or of moderate size.
std::vector<std::byte> mixed_elements(ir::DType dtype, size_t count, std::mt19937_64& random);
// Elements of moderate size (floats within -2..2, integers within -100..100 or 0..100), for reductions.
std::vector<std::byte> moderate_elements(ir::DType dtype, size_t count, std::mt19937_64& random);

// Distance of two numbers in units in the last place of `expected`, in its dtype. NaN equals NaN, +0 equals -0;
// infinity where a number is expected (or the reverse) is infinitely far, except next to the largest number.
double ulp_distance(ir::DType dtype, double actual, double expected);

// Compares raw elements, integers and bool exactly, floats within `ulp`. Returns what differs first, "" if nothing.
std::string compare_elements(ir::DType dtype, std::span<const std::byte> actual, std::span<const std::byte> expected,
                             double ulp);

}  // namespace bw::testing
