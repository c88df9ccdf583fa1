#include "tests/fuzz/random_workload.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/testing/random_source.h"

namespace bw::test {
namespace {

using ir::testing::RandomSource;

// Sizes around those of tiles and waves, and primes.
const std::vector<int64_t> kSizes = {1,  2,  3,  4,  5,  7,  8,  13,  15,  16,  17,  24,  31,  32,
                                     33, 48, 61, 64, 65, 96, 97, 127, 128, 129, 160, 192, 256, 257};
const std::vector<std::string> kFloats = {"f32", "f32", "f16", "bf16"};

// Multiply-adds of a program: few enough for the evaluator.
constexpr int64_t kMaxWork = 2'500'000;

double tolerance_of(const std::string& dtype) {
  if (dtype == "f16") return 4e-3;
  return dtype == "bf16" ? 3e-2 : 3e-5;
}

class Writer {
 public:
  explicit Writer(uint64_t seed) : random_(seed) {}

  Workload matmul();
  Workload integer_matmul();
  Workload matvec();
  Workload quantised_matvec();
  Workload softmax();
  Workload norm();
  Workload attention();
  Workload reduction();
  Workload views();
  Workload several_outputs();

 private:
  int64_t size() { return random_.any(kSizes); }
  int64_t size_up_to(int64_t most) {
    const int64_t picked = size();
    return picked <= most ? picked : random_.pick(1, most);
  }
  // A param [rows, columns] with this dtype, or a view of one that lies otherwise in memory.
  std::string matrix(const char* name, int64_t rows, int64_t columns, const std::string& dtype) {
    switch (random_.pick(0, 5)) {
      case 0:
      case 1:
        return fmt::format("{}[{}, {}]:{}.transpose()", name, columns, rows, dtype);
      case 2: {
        const int64_t top = random_.pick(0, 3);
        const int64_t left = random_.pick(0, 3);
        return fmt::format("{}[{}, {}]:{}[{}:{}, {}:{}]", name, rows + top + random_.pick(0, 2),
                           columns + left + random_.pick(0, 2), dtype, top, top + rows, left, left + columns);
      }
      default:
        return fmt::format("{}[{}, {}]:{}", name, rows, columns, dtype);
    }
  }
  // Elementwise work behind a value "y" whose last axis has `columns`.
  std::string epilogue(int64_t columns, const std::string& dtype) {
    switch (random_.pick(0, 7)) {
      case 0:
        return fmt::format("y + bias[{}]:{}", columns, dtype);
      case 1:
        return "y.relu() * 0.5";
      case 2:
        return fmt::format("y * scale[1]:{} + y", dtype);
      case 3:
        return "cast(y, f32).silu()";
      case 4:
        return "cast(y, f16)";
      case 5:
        return fmt::format("where(y < 0, y * 0.125, y)");
      default:
        return "y";
    }
  }

  RandomSource random_;
};

Workload Writer::matmul() {
  const std::string dtype = random_.any(kFloats);
  const bool is_batched = random_.one_in(5);
  const int64_t batch = is_batched ? random_.pick(2, 3) : 1;
  int64_t m = size(), n = size(), k = size();
  while (batch * m * n * k > kMaxWork) {
    int64_t& largest = m >= n && m >= k ? m : n >= k ? n : k;
    largest = std::max<int64_t>(largest / 2, 1);
  }
  std::string product;
  if (is_batched) {
    const std::string b = random_.one_in(2) ? fmt::format("b[{}, {}, {}]:{}", batch, k, n, dtype)
                                            : fmt::format("b[{}, {}, {}]:{}.transpose()", batch, n, k, dtype);
    product = fmt::format("a[{}, {}, {}]:{} @ {}", batch, m, k, dtype, b);
  } else {
    std::string a = matrix("a", m, k, dtype);
    std::string b = matrix("b", k, n, dtype);
    if (dtype != "f32" && random_.one_in(2)) {
      a = fmt::format("cast({}, f32)", a);
      b = fmt::format("cast({}, f32)", b);
    } else if (random_.one_in(5)) {
      a = fmt::format("({} * 2)", a);
    }
    product = a + " @ " + b;
  }
  // The result may be large: f16 sums of up to 256 products of up to 4.
  const bool is_wide = product.find("cast") != product.npos;
  return {"matmul", fmt::format("y = {}; {}", product, epilogue(n, is_wide ? "f32" : dtype)),
          std::max(tolerance_of(dtype), 4e-3)};
}

Workload Writer::integer_matmul() {
  const std::string a_dtype = random_.one_in(2) ? "i8" : "u8";
  const std::string b_dtype = random_.one_in(2) ? "i8" : "u8";
  const int64_t m = size_up_to(129), n = size_up_to(129), k = size_up_to(kMaxWork / (m * n));
  return {"integer_matmul",
          fmt::format("cast({}, i32) @ cast({}, i32)", matrix("a", m, k, a_dtype), matrix("b", k, n, b_dtype)), 0};
}

Workload Writer::matvec() {
  const std::string dtype = random_.any(kFloats);
  const int64_t rows = size_up_to(257) * random_.pick(1, 4);
  const int64_t columns = std::min<int64_t>(size() * random_.pick(1, 16), kMaxWork / rows);
  const std::string weights = fmt::format("cast({}, f32)", matrix("w", rows, columns, dtype));
  std::string x = fmt::format("x[{}]", columns);
  if (random_.one_in(3)) {  // a norm before it
    return {"matvec",
            fmt::format("v = {}; h = v * rsqrt(mean(v * v, keep=1) + 0.00001) * g[{}]; y = {} @ h; {}", x, columns,
                        weights, epilogue(rows, "f32")),
            4e-3};
  }
  return {"matvec", fmt::format("y = {} @ {}; {}", weights, x, epilogue(rows, "f32")), 4e-3};
}

// Q8_0 as in GGUF files: blocks of an f16 scale and 32 signed bytes.
Workload Writer::quantised_matvec() {
  const int64_t rows = size_up_to(257), blocks = random_.pick(1, 24),
                tokens = random_.one_in(3) ? random_.pick(2, 5) : 1;
  return {"quantised_matvec",
          fmt::format("m = w[{0}, {1}, 34]:u8; s = cast(bitcast(m, f16)[:, :, 0:1], f32); "
                      "q = cast(bitcast(m, i8)[:, :, 2:34], f32); "
                      "(x[{2}, {1}, 32].unsqueeze(1) * (q * s)).sum([2, 3]) * 8192",
                      rows, blocks, tokens),
          4e-3};
}

Workload Writer::softmax() {
  const std::string dtype = random_.any(kFloats);
  const int64_t rows = size_up_to(65), columns = size() * random_.pick(1, 8);
  const int axis = random_.one_in(4) ? 0 : -1;
  const std::string x = matrix("x", rows, columns, dtype);
  if (random_.one_in(4)) {
    return {"softmax",
            fmt::format("softmax(where(arange({}) < {}, {}, -1000), {})", columns, random_.pick(1, columns), x, axis),
            tolerance_of(dtype)};
  }
  return {"softmax", fmt::format("softmax({} * {}, {})", x, random_.one_in(2) ? "0.125" : "2", axis),
          tolerance_of(dtype)};
}

Workload Writer::norm() {
  const int64_t rows = size_up_to(65), columns = size() * random_.pick(1, 8);
  const std::string x = fmt::format("x = cast({}, f32); ", matrix("p", rows, columns, random_.any(kFloats)));
  if (random_.one_in(2)) {
    return {"norm", x + fmt::format("x * rsqrt(mean(x * x, [1], keep=1) + 0.00001) * g[{}]", columns), 1e-3};
  }
  return {
      "norm",
      x + fmt::format("d = x - mean(x, [1], keep=1); d * rsqrt(mean(d * d, [1], keep=1) + 0.00001) * g[{0}] + b[{0}]",
                      columns),
      1e-3};
}

Workload Writer::attention() {
  const int64_t kv_heads = random_.pick(1, 3), groups = random_.pick(1, 3),
                queries = random_.one_in(2) ? 1 : size_up_to(33);
  const int64_t width = random_.any(std::vector<int64_t>{8, 16, 32, 40, 64});
  const int64_t positions =
      std::max<int64_t>(queries, std::min(size(), kMaxWork / 2 / (kv_heads * groups * queries * width)));
  const bool is_symbolic = random_.one_in(3);
  const std::string dtype = random_.one_in(3) ? "f16" : "f32";
  std::string text =
      is_symbolic ? fmt::format("n = variable({}, {}); ", queries, positions) : fmt::format("n = {}; ", positions);
  text += fmt::format("q = q0[{}, {}, {}, {}]; ", kv_heads, groups, queries, width);
  for (const char* name : {"k", "v"}) {
    text += fmt::format("{0} = cast({0}0[{1}, {2}, {3}]:{4}[:, 0:n], f32).unsqueeze(1); ", name, kv_heads, positions,
                        width, dtype);
  }
  text += "s = q @ k.transpose() * 0.125; ";
  if (random_.one_in(2) && !is_symbolic) {
    text += fmt::format("m = where(arange({}).unsqueeze(1) + {} < arange(n), -inf, s); ", queries, positions - queries);
  } else {
    text += "m = s; ";
  }
  return {"attention", text + "softmax(m) @ v", 2e-4};
}

Workload Writer::reduction() {
  const std::string op = random_.any(std::vector<std::string>{"sum", "max", "min", "mean", "sum"});
  const bool is_integer = random_.one_in(4) && op != "mean";
  const std::string dtype =
      is_integer ? random_.any(std::vector<std::string>{"i32", "u8", "i16"}) : random_.any(kFloats);
  if (random_.one_in(3)) {
    const int64_t length = random_.any(std::vector<int64_t>{1009, 4096, 10007, 65536, 65537, 100003, 131072});
    return {"reduction", fmt::format("cast(x[{}]:{}, {}).{}()", length, dtype, is_integer ? "i32" : "f32", op), 1e-4};
  }
  const int64_t a = size_up_to(33), b = size_up_to(33), c = size_up_to(257);
  const std::string axes = random_.any(std::vector<std::string>{"0", "1", "2", "[0, 1]", "[1, 2]", "[0, 2]", "[]"});
  if (random_.one_in(6)) {
    return {"reduction", fmt::format("x[{}, {}, {}].argmax({})", a, b, c, random_.pick(0, 2)), 0};
  }
  return {"reduction", fmt::format("x[{}, {}, {}]:{}.{}({})", a, b, c, dtype, op, axes),
          is_integer ? 0 : std::max(tolerance_of(dtype), 1e-4)};
}

// A chain of values v0, v1 .. of one shape, each a view of the one before with others.
Workload Writer::views() {
  const std::string dtype = random_.any(std::vector<std::string>{"f32", "f16", "i32", "u8", "i16", "bf16"});
  const int64_t rows = size_up_to(65), columns = size();
  std::string text =
      fmt::format("x = {0}; z = y[{1}, {2}]:{3}; v0 = x", matrix("p", rows, columns, dtype), rows, columns, dtype);
  const int64_t steps = random_.pick(1, 4);
  for (int64_t i = 0; i < steps; ++i) {
    const std::string v = fmt::format("v{}", i);
    text += fmt::format("; v{} = ", i + 1);
    switch (random_.pick(0, 6)) {
      case 0:
        text += fmt::format("maximum({}.flip(1) + z, x)", v);
        break;
      case 1:
        text += fmt::format("pad({0}, [1, 0], [0, 2])[0:{1}, 0:{2}] + {0}", v, rows, columns);
        break;
      case 2:
        text += fmt::format("{}.transpose().reshape([-1]).flip(0).reshape([{}, {}]) + z", v, rows, columns);
        break;
      case 3:
        text += fmt::format("cat({}, z, axis=1)[:, {}:{}]", v, columns / 2, columns / 2 + columns);
        break;
      case 4:
        text += fmt::format("where(z < {0}, {0}, x)", v);
        break;
      case 5:
        text += fmt::format("minimum({}, z) * 2 - x", v);
        break;
      default:
        text += fmt::format("gather({}, arange({}) * 7 % {})", v, rows, rows);
        break;
    }
  }
  text += fmt::format("; v{}", steps);
  return {"views", text, dtype == "f16" || dtype == "bf16" ? 3e-2 : 0};
}

Workload Writer::several_outputs() {
  const std::string dtype = random_.any(kFloats);
  const int64_t rows = size_up_to(65), columns = size();
  return {"several_outputs",
          fmt::format("x = cast({}, f32); s = x.sum(1, keep=1); x * 2; s; x.max(); (x - s).relu(); z[{}] * 3 + 1",
                      matrix("p", rows, columns, dtype), size()),
          1e-4};
}

using Write = Workload (Writer::*)();
constexpr Write kWriters[] = {
    &Writer::matmul,    &Writer::softmax,          &Writer::matvec,         &Writer::attention,
    &Writer::reduction, &Writer::integer_matmul,   &Writer::norm,           &Writer::views,
    &Writer::matmul,    &Writer::quantised_matvec, &Writer::several_outputs};

}  // namespace

const std::vector<const char*>& workload_kinds() {
  static const std::vector<const char*> kKinds = {"matmul",    "softmax",          "matvec",         "attention",
                                                  "reduction", "integer_matmul",   "norm",           "views",
                                                  "matmul",    "quantised_matvec", "several_outputs"};
  return kKinds;
}

Workload random_workload(uint64_t seed, size_t kind) {
  // Neighbouring seeds give unlike numbers.
  Writer writer(seed * 0x9e3779b97f4a7c15u + kind);
  return (writer.*kWriters[kind % workload_kinds().size()])();
}

}  // namespace bw::test
