// Arithmetic as LLVM lowers it for gfx1100 - division sequences, 64-bit integers, conversions, small types - executed
// by the interpreter and compared with the host's arithmetic, value by value.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>

#include "base/bits.h"
#include "tests/isa/gpu.h"
#include "tests/isa/llvm_compile.h"

namespace bw::test {
namespace {

using u64 = uint64_t;
using i64 = int64_t;
using u32 = uint32_t;
using i32 = int32_t;

constexpr u32 kCount = 1024;

// The text with every `what` replaced.
std::string with(std::string text, const std::string& what, const std::string& replacement) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + replacement.size())) {
    text.replace(at, what.size(), replacement);
  }
  return text;
}

// A kernel out[i] = expression(a[i], b[i], c[i]) on values of type `in`, giving `out`. Lines of `body` define %r from
// %x, %y, %z.
std::string kernel_ir(const std::string& in, const std::string& out, const std::string& body,
                      const std::string& declarations) {
  std::string ir = R"(
target triple = "amdgcn-amd-amdhsa"
declare i32 @llvm.amdgcn.workitem.id.x()
declare i32 @llvm.amdgcn.workgroup.id.x()
)" + declarations + R"(
define amdgpu_kernel void @kernel(ptr addrspace(1) %out, ptr addrspace(1) %a, ptr addrspace(1) %b, ptr addrspace(1) %c) #0 {
  %t = call i32 @llvm.amdgcn.workitem.id.x()
  %g = call i32 @llvm.amdgcn.workgroup.id.x()
  %g64 = shl i32 %g, 6
  %i = or i32 %t, %g64
  %pa = getelementptr IN, ptr addrspace(1) %a, i32 %i
  %pb = getelementptr IN, ptr addrspace(1) %b, i32 %i
  %pc = getelementptr IN, ptr addrspace(1) %c, i32 %i
  %po = getelementptr OUT, ptr addrspace(1) %out, i32 %i
  %x = load IN, ptr addrspace(1) %pa
  %y = load IN, ptr addrspace(1) %pb
  %z = load IN, ptr addrspace(1) %pc
)" + body + R"(
  store OUT %r, ptr addrspace(1) %po
  ret void
}
attributes #0 = { "amdgpu-flat-work-group-size"="64,64" "uniform-work-group-size"="true" "amdgpu-no-workgroup-id-y" "amdgpu-no-workgroup-id-z" "amdgpu-no-workitem-id-y" "amdgpu-no-workitem-id-z" "amdgpu-no-implicitarg-ptr" "amdgpu-no-dispatch-ptr" "amdgpu-no-queue-ptr" "amdgpu-no-dispatch-id" }
)";
  return with(with(ir, "IN", in), "OUT", out);
}

std::mt19937_64& random_bits() {
  static std::mt19937_64 engine(20240229);
  return engine;
}

// Values with all magnitudes, and the edges of the type.
template <class T>
T some_value(u32 i) {
  const u64 bits = random_bits()();
  if constexpr (std::is_floating_point_v<T>) {
    constexpr T kEdges[] = {T(0),
                            T(-0.0),
                            T(1),
                            T(-1),
                            std::numeric_limits<T>::infinity(),
                            -std::numeric_limits<T>::infinity(),
                            std::numeric_limits<T>::quiet_NaN(),
                            std::numeric_limits<T>::denorm_min(),
                            std::numeric_limits<T>::min(),
                            std::numeric_limits<T>::max(),
                            T(0.5),
                            T(1.5),
                            T(2.5),
                            T(3),
                            T(1e10),
                            T(-7.25)};
    if (i % 4 == 0) return kEdges[bits % 16];
    if (i % 4 == 1) return static_cast<T>(static_cast<i32>(bits)) / T(1 << 16);
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  } else {
    const u32 shift = static_cast<u32>(random_bits()() % (sizeof(T) * 8));
    return static_cast<T>(i % 5 == 0   ? bits % 4
                          : i % 7 == 0 ? ~T{0} - static_cast<T>(bits % 3)
                                       : static_cast<T>(bits) >> shift);
  }
}

template <class T>
bool same(T got, T want, u32 ulps) {
  if constexpr (std::is_floating_point_v<T>) {
    if (want != want) return got != got;
    using Bits = std::conditional_t<sizeof(T) == 4, i32, i64>;
    const i64 distance = static_cast<i64>(std::bit_cast<Bits>(got)) - static_cast<i64>(std::bit_cast<Bits>(want));
    return distance >= -static_cast<i64>(ulps) && distance <= static_cast<i64>(ulps);
  } else {
    return got == want;
  }
}
template <class T>
std::string show(T value) {
  if constexpr (std::is_floating_point_v<T>)
    return fmt::format("{} ({:a})", value, value);
  else
    return fmt::format("{:#x}", static_cast<std::make_unsigned_t<T>>(value));
}

template <class In, class Out>
void check(const std::string& in, const std::string& out, const std::string& body, const std::string& declarations,
           const std::function<Out(In, In, In)>& host, u32 ulps = 0) {
  const CompiledKernel kernel = compile_ir(kernel_ir(in, out, body, declarations));
  Gpu gpu;
  const u64 addresses[4] = {gpu.allocate(kCount * sizeof(Out)), gpu.allocate(kCount * sizeof(In)),
                            gpu.allocate(kCount * sizeof(In)), gpu.allocate(kCount * sizeof(In))};
  In* inputs[3] = {gpu.at<In>(addresses[1]), gpu.at<In>(addresses[2]), gpu.at<In>(addresses[3])};
  for (u32 i = 0; i < kCount; ++i) {
    inputs[0][i] = some_value<In>(i);
    inputs[1][i] = some_value<In>(i / 4);
    inputs[2][i] = some_value<In>(i / 16);
  }
  const u64 kernarg = gpu.allocate(64);
  std::memcpy(gpu.host(kernarg), addresses, sizeof addresses);
  emulator::Dispatch d;
  d.program_address = gpu.load(kernel.code);
  d.pgm_rsrc1 = 0x60af001f;  // FLOAT_MODE 0xf0, 256 VGPRs
  d.pgm_rsrc2 = kernel.user_sgprs << 1 | (kernel.workgroup_id_x ? 1u << 7 : 0) | (kernel.scratch_bytes_per_lane != 0);
  d.user_data = {lo32(kernarg), hi32(kernarg)};
  d.workgroup_size = {64, 1, 1};
  d.workgroup_count = {kCount / 64, 1, 1};
  d.scratch_bytes_per_wave = kernel.scratch_bytes_per_lane * 32;
  d.scratch_wave_count = 2;
  if (d.scratch_bytes_per_wave != 0) d.scratch_address = gpu.allocate(d.scratch_bytes_per_wave * 2);
  const auto fault = gpu.run(d);
  ASSERT_FALSE(fault.has_value()) << body << ": " << fault->message;
  for (u32 i = 0; i < kCount; ++i) {
    const Out got = gpu.at<Out>(addresses[0])[i], want = host(inputs[0][i], inputs[1][i], inputs[2][i]);
    ASSERT_TRUE(same(got, want, ulps)) << body << "\nof " << show(inputs[0][i]) << ", " << show(inputs[1][i]) << ", "
                                       << show(inputs[2][i]) << "\n got " << show(got) << "\nwant " << show(want);
  }
}

template <class T>
struct Integers {
  using S = std::make_signed_t<T>;
  static constexpr u32 kBits = sizeof(T) * 8;
  const std::string type = with("iN", "N", std::to_string(kBits));

  void binary(const std::string& op, const std::function<T(T, T)>& host) {
    // The second operand is never 0 and never -1, so that division is defined.
    constexpr T kMask = (T{1} << (kBits - 2)) - 1;
    const std::string body = "  %y0 = and TYPE %y, MASK\n  %y1 = or TYPE %y0, 2\n  %r = OP TYPE %x, %y1\n";
    check<T, T>(type, type, with(with(with(body, "MASK", std::to_string(kMask)), "OP", op), "TYPE", type), "",
                [host](T x, T y, T) { return host(x, static_cast<T>((y & kMask) | 2)); });
  }
  void shift(const std::string& op, const std::function<T(T, u32)>& host) {
    const std::string body = "  %s = and TYPE %y, MASK\n  %r = OP TYPE %x, %s\n";
    check<T, T>(type, type, with(with(with(body, "MASK", std::to_string(kBits - 1)), "OP", op), "TYPE", type), "",
                [host](T x, T y, T) { return host(x, static_cast<u32>(y & (kBits - 1))); });
  }
  // Intrinsics of one operand, and a flag for those that have one.
  void unary(const std::string& intrinsic, const std::string& flag, const std::function<T(T)>& host) {
    const std::string body = flag.empty() ? "  %r = call TYPE @llvm.NAME.TYPE(TYPE %x)\n"
                                          : "  %r = call TYPE @llvm.NAME.TYPE(TYPE %x, i1 false)\n";
    const std::string declaration =
        flag.empty() ? "declare TYPE @llvm.NAME.TYPE(TYPE)\n" : "declare TYPE @llvm.NAME.TYPE(TYPE, i1)\n";
    check<T, T>(type, type, with(with(body, "NAME", intrinsic), "TYPE", type),
                with(with(declaration, "NAME", intrinsic), "TYPE", type), [host](T x, T, T) { return host(x); });
  }
  void select(const std::string& predicate, const std::function<bool(T, T)>& host) {
    const std::string body = "  %m = icmp PREDICATE TYPE %x, %y\n  %r = select i1 %m, TYPE %y, TYPE %z\n";
    check<T, T>(type, type, with(with(body, "PREDICATE", predicate), "TYPE", type), "",
                [host](T x, T y, T z) { return host(x, y) ? y : z; });
  }
  void all() {
    binary("add", [](T x, T y) { return static_cast<T>(x + y); });
    binary("sub", [](T x, T y) { return static_cast<T>(x - y); });
    binary("mul", [](T x, T y) { return static_cast<T>(u64{x} * u64{y}); });
    binary("udiv", [](T x, T y) { return static_cast<T>(x / y); });
    binary("urem", [](T x, T y) { return static_cast<T>(x % y); });
    binary("sdiv", [](T x, T y) { return static_cast<T>(static_cast<S>(x) / static_cast<S>(y)); });
    binary("srem", [](T x, T y) { return static_cast<T>(static_cast<S>(x) % static_cast<S>(y)); });
    binary("xor", [](T x, T y) { return static_cast<T>(x ^ y); });
    shift("shl", [](T x, u32 s) { return static_cast<T>(u64{x} << s); });
    shift("lshr", [](T x, u32 s) { return static_cast<T>(x >> s); });
    shift("ashr", [](T x, u32 s) { return static_cast<T>(static_cast<S>(x) >> s); });
    unary("ctpop", "", [](T x) { return static_cast<T>(std::popcount(x)); });
    unary("ctlz", "false", [](T x) { return static_cast<T>(std::countl_zero(x)); });
    unary("cttz", "false", [](T x) { return static_cast<T>(std::countr_zero(x)); });
    select("slt", [](T x, T y) { return static_cast<S>(x) < static_cast<S>(y); });
    select("ule", [](T x, T y) { return x <= y; });
  }
};

TEST(CompiledIntegers, Of64Bits) {
  Integers<uint64_t>().all();
}
TEST(CompiledIntegers, Of32Bits) {
  Integers<uint32_t>().all();
}
TEST(CompiledIntegers, Of16Bits) {
  Integers<uint16_t>().all();
}
TEST(CompiledIntegers, Of8Bits) {
  Integers<uint8_t>().all();
}

template <class T>
void check_float(const std::string& body, const std::function<T(T, T, T)>& host, u32 ulps = 0) {
  const bool single = sizeof(T) == 4;
  const std::string type = single ? "float" : "double", suffix = single ? "f32" : "f64";
  std::string declarations;
  for (const char* name : {"sqrt", "floor", "ceil", "trunc", "rint", "fabs", "exp2", "log2"}) {
    declarations += with("declare TYPE @llvm.NAME.SUFFIX(TYPE)\n", "NAME", name);
  }
  declarations += "declare TYPE @llvm.fma.SUFFIX(TYPE, TYPE, TYPE)\ndeclare TYPE @llvm.minnum.SUFFIX(TYPE, TYPE)\n";
  declarations += "declare TYPE @llvm.maxnum.SUFFIX(TYPE, TYPE)\n";
  const std::string text = with(with(body, "TYPE", type), "SUFFIX", suffix);
  declarations = with(with(declarations, "TYPE", type), "SUFFIX", suffix);
  check<T, T>(type, type, text, declarations, host, ulps);
}

template <class T>
void check_floats() {
  check_float<T>("  %r = fadd TYPE %x, %y\n", [](T x, T y, T) { return x + y; });
  check_float<T>("  %r = fsub TYPE %x, %y\n", [](T x, T y, T) { return x - y; });
  check_float<T>("  %r = fmul TYPE %x, %y\n", [](T x, T y, T) { return x * y; });
  check_float<T>("  %r = fdiv TYPE %x, %y\n", [](T x, T y, T) { return x / y; });
  check_float<T>("  %r = fdiv TYPE 1.0, %y\n", [](T, T y, T) { return T(1) / y; });
  check_float<T>("  %r = call TYPE @llvm.sqrt.SUFFIX(TYPE %x)\n", [](T x, T, T) { return std::sqrt(x); });
  check_float<T>("  %r = call TYPE @llvm.fma.SUFFIX(TYPE %x, TYPE %y, TYPE %z)\n",
                 [](T x, T y, T z) { return std::fma(x, y, z); });
  check_float<T>("  %r = call TYPE @llvm.floor.SUFFIX(TYPE %x)\n", [](T x, T, T) { return std::floor(x); });
  check_float<T>("  %r = call TYPE @llvm.ceil.SUFFIX(TYPE %x)\n", [](T x, T, T) { return std::ceil(x); });
  check_float<T>("  %r = call TYPE @llvm.trunc.SUFFIX(TYPE %x)\n", [](T x, T, T) { return std::trunc(x); });
  check_float<T>("  %r = call TYPE @llvm.rint.SUFFIX(TYPE %x)\n", [](T x, T, T) { return std::rint(x); });
  check_float<T>("  %m = fcmp olt TYPE %x, %y\n  %r = select i1 %m, TYPE %y, TYPE %z\n",
                 [](T x, T y, T z) { return x < y ? y : z; });
  check_float<T>("  %m = fcmp une TYPE %x, %y\n  %r = select i1 %m, TYPE %y, TYPE %z\n",
                 [](T x, T y, T z) { return x != y ? y : z; });
  check_float<T>("  %r = call TYPE @llvm.maxnum.SUFFIX(TYPE %x, TYPE %y)\n", [](T x, T y, T) {
    return x != x ? y : y != y ? x : x == y ? (std::signbit(x) ? y : x) : x > y ? x : y;
  });
  check_float<T>("  %r = call TYPE @llvm.minnum.SUFFIX(TYPE %x, TYPE %y)\n", [](T x, T y, T) {
    return x != x ? y : y != y ? x : x == y ? (std::signbit(x) ? x : y) : x < y ? x : y;
  });
}

TEST(CompiledFloats, OfF32) {
  check_floats<float>();
}
TEST(CompiledFloats, OfF64) {
  check_floats<double>();
}

TEST(CompiledFloats, TranscendentalFunctionsOfF32) {
  check_float<float>(
      "  %r = call float @llvm.exp2.f32(float %x)\n", [](float x, float, float) { return std::exp2(x); }, 2);
  check_float<float>(
      "  %r = call float @llvm.log2.f32(float %x)\n", [](float x, float, float) { return std::log2(x); }, 2);
}

TEST(CompiledConversions, BetweenIntegersAndFloats) {
  const std::string bound32 =
      "  %m = call float @llvm.fabs.f32(float %x)\n  %in = fcmp olt float %m, 0x41E0000000000000\n"
      "  %v = select i1 %in, float %x, float 1.0\n";
  const auto limit32 = [](float x) { return std::fabs(x) < 0x1p31f ? x : 1.0f; };
  const std::string fabs32 = "declare float @llvm.fabs.f32(float)\n";
  check<float, i32>("float", "i32", bound32 + "  %r = fptosi float %v to i32\n", fabs32,
                    [&](float x, float, float) { return static_cast<i32>(limit32(x)); });
  check<float, i64>("float", "i64", bound32 + "  %r = fptosi float %v to i64\n", fabs32,
                    [&](float x, float, float) { return static_cast<i64>(limit32(x)); });
  const std::string bound64 =
      "  %m = call double @llvm.fabs.f64(double %x)\n  %in = fcmp olt double %m, 0x43D0000000000000\n"
      "  %v = select i1 %in, double %x, double 1.0\n";
  const auto limit64 = [](double x) { return std::fabs(x) < 0x1p62 ? x : 1.0; };
  check<double, i64>("double", "i64", bound64 + "  %r = fptosi double %v to i64\n",
                     "declare double @llvm.fabs.f64(double)\n",
                     [&](double x, double, double) { return static_cast<i64>(limit64(x)); });
  check<double, float>("double", "float", "  %r = fptrunc double %x to float\n", "",
                       [](double x, double, double) { return static_cast<float>(x); });
  check<float, double>("float", "double", "  %r = fpext float %x to double\n", "",
                       [](float x, float, float) { return static_cast<double>(x); });
  check<i64, float>("i64", "float", "  %r = sitofp i64 %x to float\n", "",
                    [](i64 x, i64, i64) { return static_cast<float>(x); });
  check<u64, float>("i64", "float", "  %r = uitofp i64 %x to float\n", "",
                    [](u64 x, u64, u64) { return static_cast<float>(x); });
  check<u64, double>("i64", "double", "  %r = uitofp i64 %x to double\n", "",
                     [](u64 x, u64, u64) { return static_cast<double>(x); });
  check<i32, double>("i32", "double", "  %r = sitofp i32 %x to double\n", "",
                     [](i32 x, i32, i32) { return static_cast<double>(x); });
  check<u32, float>("i32", "float", "  %r = uitofp i32 %x to float\n", "",
                    [](u32 x, u32, u32) { return static_cast<float>(x); });
  check<uint8_t, float>("i8", "float", "  %r = uitofp i8 %x to float\n", "",
                        [](uint8_t x, uint8_t, uint8_t) { return static_cast<float>(x); });
}

// Results of f16 arithmetic from f64, which holds sums, products and quotients well enough to round once more without
// harm.
TEST(CompiledHalves, ArithmeticRoundsOnce) {
  const std::string load =
      "  %hx = bitcast i16 %x to half\n  %hy = bitcast i16 %y to half\n  %hz = bitcast i16 %z to half\n";
  const std::string store = "  %r = fpext half %h to double\n";
  const auto run = [&](const std::string& body, const std::function<double(double, double, double)>& host) {
    check<uint16_t, double>("i16", "double", load + body + store,
                            "declare half @llvm.fma.f16(half, half, half)\ndeclare half @llvm.sqrt.f16(half)\n",
                            [host](uint16_t x, uint16_t y, uint16_t z) {
                              const auto wide = [](uint16_t b) {
                                return static_cast<double>(std::bit_cast<_Float16>(b));
                              };
                              return static_cast<double>(static_cast<_Float16>(host(wide(x), wide(y), wide(z))));
                            });
  };
  run("  %h = fadd half %hx, %hy\n", [](double x, double y, double) { return x + y; });
  run("  %h = fmul half %hx, %hy\n", [](double x, double y, double) { return x * y; });
  run("  %h = fdiv half %hx, %hy\n", [](double x, double y, double) { return x / y; });
  run("  %h = call half @llvm.sqrt.f16(half %hx)\n", [](double x, double, double) { return std::sqrt(x); });
  run("  %h = call half @llvm.fma.f16(half %hx, half %hy, half %hz)\n",
      [](double x, double y, double z) { return std::fma(x, y, z); });
}

TEST(CompiledHalves, ConversionsFromF32) {
  check<float, float>("float", "float", "  %h = fptrunc float %x to half\n  %r = fpext half %h to float\n", "",
                      [](float x, float, float) { return static_cast<float>(static_cast<_Float16>(x)); });
  check<float, float>("float", "float", "  %h = fptrunc float %x to bfloat\n  %r = fpext bfloat %h to float\n", "",
                      [](float x, float, float) {
                        const u32 bits = std::bit_cast<u32>(x);
                        return std::bit_cast<float>((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000);
                      });
}

}  // namespace
}  // namespace bw::test
