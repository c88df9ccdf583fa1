#include "tensor/expression/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "tensor/expression/expression.h"

namespace bw::tensor {
namespace {

using Dims = std::vector<Dim>;

struct Parameter {
  const char* name;
  std::optional<Value> standard;  // of optional parameters
};

Parameter required(const char* name) {
  return {name, std::nullopt};
}
Parameter optional(const char* name, double value) {
  return {name, Value{value, {}}};
}
// Every axis, or none, as the function takes it.
Parameter optional_list(const char* name) {
  return {name, Value{Dims{}, {}}};
}

// The arguments of a call by parameter, converted when asked for. The first conversion that fails is kept in `status`;
// what is returned then is of no use.
class Bound {
 public:
  Bound(std::vector<Value> values, std::shared_ptr<Runtime> runtime)
      : values_(std::move(values)), runtime_(std::move(runtime)) {}

  Status status;

  size_t size() const { return values_.size(); }
  const std::shared_ptr<Runtime>& runtime() const { return runtime_; }

  // A number among the arguments takes the dtype of the first tensor from `first` on.
  Tensor tensor(size_t i, size_t first = 0) {
    const Tensor* like = nullptr;
    for (size_t k = first; k < values_.size() && like == nullptr; ++k) like = values_[k].get<Tensor>();
    return take<Tensor>(to_tensor(values_[i], runtime_, like), Tensor());
  }
  int axis(size_t i) { return take<int>(to_axis(values_[i]), 0); }
  std::vector<int> axes(size_t i) { return take<std::vector<int>>(to_axes(values_[i]), {}); }
  std::vector<int64_t> integers(size_t i) { return take<std::vector<int64_t>>(to_integers(values_[i]), {}); }
  Dim dim(size_t i) { return take<Dim>(to_dim(values_[i]), Dim(0)); }
  Dims dims(size_t i) { return take<Dims>(to_dims(values_[i]), {}); }
  Reduced reduced(size_t i) { return take<int64_t>(to_integer(values_[i]), 0) != 0 ? Reduced::kKeep : Reduced::kDrop; }
  double number(size_t i) {
    if (const double* value = values_[i].get<double>()) return *value;
    return fail(i, "a number"), 0.0;
  }
  DType dtype(size_t i) {
    if (const DType* value = values_[i].get<DType>()) return *value;
    return fail(i, "a dtype"), DType::kF32;
  }

 private:
  template <typename T>
  T take(Result<T> result, T otherwise) {
    if (result.is_ok()) return std::move(result).value();
    if (status.is_ok()) status = std::move(result).status();
    return otherwise;
  }
  void fail(size_t i, const char* wanted) {
    if (!status.is_ok()) return;
    status = error_at(values_[i].place, fmt::format("expected {}, not {}", wanted, values_[i].kind()));
  }

  std::vector<Value> values_;
  std::shared_ptr<Runtime> runtime_;
};

using Apply = Tensor (*)(Bound&);

}  // namespace

struct Function {
  const char* name;
  std::vector<Parameter> parameters;
  Apply apply;
  bool takes_more = false;  // the first parameter stands for one argument or more by position
};

namespace {

template <Tensor (Tensor::*Member)() const>
Function unary(const char* name) {
  return {name, {required("x")}, [](Bound& a) { return (a.tensor(0).*Member)(); }};
}

template <Tensor (Tensor::*Member)(const Tensor&) const>
Function binary(const char* name) {
  return {name, {required("a"), required("b")}, [](Bound& a) { return (a.tensor(0).*Member)(a.tensor(1)); }};
}

template <Tensor (Tensor::*Member)(std::vector<int>, Reduced) const>
Function reduction(const char* name) {
  return {name, {required("x"), optional_list("axis"), optional("keep", 0)}, [](Bound& a) {
            return (a.tensor(0).*Member)(a.axes(1), a.reduced(2));
          }};
}

Tensor join(Bound& a) {
  std::vector<Tensor> parts;
  for (size_t i = 0; i + 1 < a.size(); ++i) parts.push_back(a.tensor(i));
  return cat(parts, a.axis(a.size() - 1));
}

void add_elementwise(std::vector<Function>& list) {
  list.push_back(unary<&Tensor::exp2>("exp2"));
  list.push_back(unary<&Tensor::log2>("log2"));
  list.push_back(unary<&Tensor::exp>("exp"));
  list.push_back(unary<&Tensor::log>("log"));
  list.push_back(unary<&Tensor::sin>("sin"));
  list.push_back(unary<&Tensor::cos>("cos"));
  list.push_back(unary<&Tensor::sqrt>("sqrt"));
  list.push_back(unary<&Tensor::rsqrt>("rsqrt"));
  list.push_back(unary<&Tensor::recip>("recip"));
  list.push_back(unary<&Tensor::trunc>("trunc"));
  list.push_back(unary<&Tensor::sigmoid>("sigmoid"));
  list.push_back(unary<&Tensor::silu>("silu"));
  list.push_back(unary<&Tensor::tanh>("tanh"));
  list.push_back(unary<&Tensor::relu>("relu"));
  list.push_back(unary<&Tensor::abs>("abs"));
  list.push_back(unary<&Tensor::logical_not>("logical_not"));
  list.push_back(unary<&Tensor::contiguous>("contiguous"));
  list.push_back(binary<&Tensor::maximum>("maximum"));
  list.push_back(binary<&Tensor::minimum>("minimum"));
  list.push_back(binary<&Tensor::idiv>("idiv"));
  list.push_back(binary<&Tensor::matmul>("matmul"));
  list.push_back(binary<&Tensor::gather>("gather"));
  list.push_back(binary<&Tensor::store>("store"));
  list.push_back({"mul_acc", {required("a"), required("b"), required("c")}, [](Bound& a) {
                    return a.tensor(0).mul_acc(a.tensor(1), a.tensor(2));
                  }});
  list.push_back({"where", {required("condition"), required("x"), required("y")}, [](Bound& a) {
                    return where(a.tensor(0), a.tensor(1, 1), a.tensor(2, 1));
                  }});
  list.push_back({"cast", {required("x"), required("dtype")}, [](Bound& a) { return a.tensor(0).cast(a.dtype(1)); }});
  list.push_back(
      {"bitcast", {required("x"), required("dtype")}, [](Bound& a) { return a.tensor(0).bitcast(a.dtype(1)); }});
}

void add_movement(std::vector<Function>& list) {
  list.push_back(
      {"reshape", {required("x"), required("shape")}, [](Bound& a) { return a.tensor(0).reshape(a.dims(1)); }});
  list.push_back(
      {"expand", {required("x"), required("shape")}, [](Bound& a) { return a.tensor(0).expand(a.dims(1)); }});
  list.push_back(
      {"permute", {required("x"), required("axes")}, [](Bound& a) { return a.tensor(0).permute(a.axes(1)); }});
  list.push_back({"transpose", {required("x"), optional("a", -2), optional("b", -1)}, [](Bound& a) {
                    return a.tensor(0).transpose(a.axis(1), a.axis(2));
                  }});
  list.push_back({"pad", {required("x"), required("before"), required("after")}, [](Bound& a) {
                    return a.tensor(0).pad(a.integers(1), a.integers(2));
                  }});
  list.push_back({"shrink", {required("x"), required("begin"), required("end")}, [](Bound& a) {
                    return a.tensor(0).shrink(a.dims(1), a.dims(2));
                  }});
  list.push_back({"slice", {required("x"), required("axis"), required("begin"), required("end")}, [](Bound& a) {
                    return a.tensor(0).slice(a.axis(1), a.dim(2), a.dim(3));
                  }});
  list.push_back({"flip", {required("x"), required("axes")}, [](Bound& a) { return a.tensor(0).flip(a.axes(1)); }});
  list.push_back(
      {"unsqueeze", {required("x"), required("axis")}, [](Bound& a) { return a.tensor(0).unsqueeze(a.axis(1)); }});
  list.push_back(
      {"squeeze", {required("x"), required("axis")}, [](Bound& a) { return a.tensor(0).squeeze(a.axis(1)); }});
  list.push_back({"cat", {required("x"), optional("axis", 0)}, join, true});
}

void add_reductions_and_leaves(std::vector<Function>& list) {
  list.push_back(reduction<&Tensor::sum>("sum"));
  list.push_back(reduction<&Tensor::prod>("prod"));
  list.push_back(reduction<&Tensor::max>("max"));
  list.push_back(reduction<&Tensor::min>("min"));
  list.push_back(reduction<&Tensor::mean>("mean"));
  list.push_back(
      {"argmax", {required("x"), optional("axis", -1)}, [](Bound& a) { return a.tensor(0).argmax(a.axis(1)); }});
  list.push_back(
      {"softmax", {required("x"), optional("axis", -1)}, [](Bound& a) { return a.tensor(0).softmax(a.axis(1)); }});
  list.push_back({"full", {required("shape"), required("value"), {"dtype", Value{DType::kF32, {}}}}, [](Bound& a) {
                    return Tensor::full(a.runtime(), a.dtype(2), a.dims(0), a.number(1));
                  }});
  list.push_back({"arange", {required("extent"), {"dtype", Value{DType::kI32, {}}}}, [](Bound& a) {
                    return Tensor::arange(a.runtime(), a.dtype(1), a.dim(0));
                  }});
}

std::vector<Function> make_functions() {
  std::vector<Function> list;
  add_elementwise(list);
  add_movement(list);
  add_reductions_and_leaves(list);
  std::sort(list.begin(), list.end(),
            [](const Function& a, const Function& b) { return std::string_view(a.name) < b.name; });
  return list;
}

const std::vector<Function>& all_functions() {
  static const std::vector<Function> list = make_functions();
  return list;
}

std::string print_standard(const Value& value) {
  if (const double* number = value.get<double>()) return fmt::format("{}", *number);
  if (const DType* dtype = value.get<DType>()) return std::string(ir::name(*dtype));
  return "[]";
}

// The arguments in the order of the parameters.
Result<std::vector<Value>> bind(const Function& function, Place place, const CallArguments& arguments) {
  const auto usage = [&](Place where, std::string_view what) {
    return error_at(where, fmt::format("{}: {}", what, print_signature(function)));
  };
  const size_t count = function.parameters.size();
  std::vector<std::optional<Value>> values(count);
  size_t more = 0;  // arguments of a first parameter that stands for several
  if (function.takes_more) {
    if (arguments.positional.empty()) return usage(place, "too few arguments");
    more = arguments.positional.size() - 1;
    values[0] = arguments.positional[0];
  } else {
    if (arguments.positional.size() > count) return usage(arguments.positional[count].place, "too many arguments");
    std::copy(arguments.positional.begin(), arguments.positional.end(), values.begin());
  }
  for (const auto& [name, value] : arguments.named) {
    size_t i = 0;
    while (i < count && function.parameters[i].name != name.text) ++i;
    if (i == count) return usage(name.place, fmt::format("no argument '{}'", name.text.substr(0, 40)));
    if (values[i]) return usage(name.place, fmt::format("'{}' is given twice", name.text));
    values[i] = value;
  }
  std::vector<Value> bound;
  for (size_t i = 0; i < count; ++i) {
    if (!values[i] && !function.parameters[i].standard) {
      return usage(place, fmt::format("argument '{}' is missing", function.parameters[i].name));
    }
    bound.push_back(values[i] ? *values[i] : *function.parameters[i].standard);
    if (i > 0) continue;
    bound.insert(bound.end(), arguments.positional.begin() + 1,
                 arguments.positional.begin() + 1 + static_cast<std::ptrdiff_t>(more));
  }
  return bound;
}

}  // namespace

const Function* find_function(std::string_view name) {
  for (const Function& function : all_functions()) {
    if (function.name == name) return &function;
  }
  return nullptr;
}

std::string print_signature(const Function& function) {
  std::string text = std::string(function.name) + "(";
  for (size_t i = 0; i < function.parameters.size(); ++i) {
    const Parameter& parameter = function.parameters[i];
    text += (i == 0 ? "" : ", ") + std::string(parameter.name);
    if (i == 0 && function.takes_more) text += ", ..";
    if (parameter.standard) text += "=" + print_standard(*parameter.standard);
  }
  return text + ")";
}

Result<Tensor> call(const Function& function, Place place, const CallArguments& arguments,
                    const std::shared_ptr<Runtime>& runtime) {
  BW_ASSIGN(std::vector<Value> values, bind(function, place, arguments));
  Bound bound(std::move(values), runtime);
  Tensor result = function.apply(bound);
  BW_RETURN_IF_ERROR(std::move(bound.status));
  if (!result.is_ok()) return error_at(place, fmt::format("{}: {}", function.name, result.status().message()));
  return result;
}

std::vector<std::string> expression_functions() {
  std::vector<std::string> list;
  for (const Function& function : all_functions()) list.push_back(print_signature(function));
  return list;
}

}  // namespace bw::tensor
