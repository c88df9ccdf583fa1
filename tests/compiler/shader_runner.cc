#include "tests/compiler/shader_runner.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "amdgpu/code_object.h"
#include "compiler/codegen.h"
#include "emulator/jit/jit.h"
#include "emulator/memory/address_space.h"

namespace bw::testing {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kParamAlign = 16;  // what compiled kernels count on

uint64_t round_up(uint64_t value, uint64_t to) {
  return (value + to - 1) / to * to;
}

// Writes only where something changes: pages of huge params that nothing is written to need not be there.
void copy_changed(std::byte* to, const std::byte* from, size_t size_bytes) {
  for (size_t at = 0; at < size_bytes; at += kPage) {
    const size_t length = std::min<size_t>(kPage, size_bytes - at);
    if (std::memcmp(to + at, from + at, length) != 0) std::memcpy(to + at, from + at, length);
  }
}

// Zeroed host memory, of which only what is written to is there.
class HostPages {
 public:
  static Result<HostPages> create(uint64_t size_bytes) {
    const uint64_t length = round_up(std::max<uint64_t>(size_bytes, 1), kPage);
    void* host = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (host == MAP_FAILED) return Status::from_errno(errno, "mapping memory for a kernel");
    return HostPages(static_cast<std::byte*>(host), length);
  }
  ~HostPages() {
    if (host_ != nullptr) ::munmap(host_, length_);
  }
  HostPages(HostPages&& other) noexcept : host_(std::exchange(other.host_, nullptr)), length_(other.length_) {}
  HostPages& operator=(HostPages&&) = delete;

  std::byte* host() const { return host_; }
  uint64_t length() const { return length_; }

 private:
  HostPages(std::byte* host, uint64_t length) : host_(host), length_(length) {}

  std::byte* host_;
  uint64_t length_;
};

// Host memory that is mapped at a GPU address.
class GpuPages {
 public:
  static Result<std::unique_ptr<GpuPages>> create(emulator::AddressSpace& space, uint64_t address, uint64_t size_bytes,
                                                  bool executable) {
    BW_ASSIGN(HostPages pages, HostPages::create(size_bytes));
    const uint64_t length = pages.length();
    const int failed = space.map({address, address + length, pages.host(), true, executable});
    if (failed != 0) return Status::from_errno(-failed, "mapping memory into the address space");
    return std::unique_ptr<GpuPages>(new GpuPages(std::move(pages), address));
  }

  std::byte* host() const { return pages_.host(); }
  uint64_t address() const { return address_; }
  uint64_t length() const { return pages_.length(); }

 private:
  GpuPages(HostPages pages, uint64_t address) : pages_(std::move(pages)), address_(address) {}

  HostPages pages_;
  uint64_t address_;
};

// Everything that one run maps, at addresses far apart.
struct Memory {
  emulator::AddressSpace space;
  std::vector<std::unique_ptr<GpuPages>> pages;
  uint64_t next = uint64_t{1} << 32;

  Result<GpuPages*> add(uint64_t size_bytes, bool executable) {
    BW_ASSIGN(auto made, GpuPages::create(space, next, size_bytes, executable));
    next += round_up(made->length(), uint64_t{1} << 21) + (uint64_t{1} << 21);
    pages.push_back(std::move(made));
    return pages.back().get();
  }
};

int64_t extent_of(const ir::Dim& dim, const ir::EvaluatorInputs& inputs) {
  if (dim.is_static()) return dim.offset;
  return inputs.variables.at(dim.variable->attr<ir::VariableAttr>().name) + dim.offset;
}

// The grid as a schedule would give it: from the ranges of the kernel.
std::array<uint32_t, 3> workgroups(const ir::Kernel& kernel, const ir::EvaluatorInputs& inputs) {
  std::array<int64_t, 3> items{1, 1, 1};
  std::vector<const ir::Node*> stack;
  for (const ir::NodePtr& store : kernel.stores) stack.push_back(store.get());
  while (!stack.empty()) {
    const ir::Node* node = stack.back();
    stack.pop_back();
    for (const ir::NodePtr& input : node->inputs) stack.push_back(input.get());
    if (node->op != ir::Op::kRange) continue;
    const auto& range = node->attr<ir::RangeAttr>();
    const int axis = static_cast<int>(range.kind) - static_cast<int>(ir::RangeKind::kGlobalX);
    if (axis >= 0 && axis < 3) items[static_cast<size_t>(axis)] = extent_of(range.extent, inputs);
  }
  const uint32_t places = kernel.workgroup_size / ir::group_size(kernel);
  items[0] = (items[0] + places - 1) / places;
  return {static_cast<uint32_t>(items[0]), static_cast<uint32_t>(items[1]), static_cast<uint32_t>(items[2])};
}

Result<GpuPages*> place_arguments(const ir::Kernel& kernel, const ir::EvaluatorInputs& inputs, Memory& memory,
                                  std::vector<std::pair<GpuPages*, uint64_t>>& buffers) {
  std::vector<std::byte> kernarg(compiler::kernarg_size_bytes(kernel));
  size_t at = 0;
  const auto push = [&](uint64_t address) {
    std::memcpy(kernarg.data() + at, &address, sizeof(address));
    at += sizeof(address);
  };
  for (const ir::NodePtr& param : kernel.params) {
    const std::span<std::byte> raw = inputs.params.at(param->attr<ir::ParamAttr>().id);
    BW_ASSIGN(GpuPages * pages, memory.add(raw.size(), false));
    const uint64_t offset = pages->length() - round_up(raw.size(), kParamAlign);
    copy_changed(pages->host() + offset, raw.data(), raw.size());
    buffers.emplace_back(pages, offset);
    push(pages->address() + offset);
  }
  for (const ir::NodePtr& variable : kernel.variables) {
    const auto value = static_cast<int32_t>(inputs.variables.at(variable->attr<ir::VariableAttr>().name));
    BW_ASSIGN(GpuPages * word, memory.add(sizeof value, false));
    const uint64_t offset = word->length() - sizeof value;
    std::memcpy(word->host() + offset, &value, sizeof value);
    push(word->address() + offset);
  }
  BW_ASSIGN(GpuPages * pages, memory.add(kernarg.size(), false));
  std::memcpy(pages->host(), kernarg.data(), kernarg.size());
  return pages;
}

Status run_on(emulator::ShaderCores& cores, const amdgpu::CodeObject& object, const ir::Kernel& kernel,
              std::array<uint32_t, 3> groups, std::array<uint32_t, 3> first, const ir::EvaluatorInputs& inputs) {
  const amdgpu::KernelInfo& info = object.kernels[0];
  Memory memory;
  BW_ASSIGN(GpuPages * program, memory.add(object.image.size(), true));
  std::memcpy(program->host(), object.image.data(), object.image.size());
  std::vector<std::pair<GpuPages*, uint64_t>> buffers;
  BW_ASSIGN(const GpuPages* kernarg, place_arguments(kernel, inputs, memory, buffers));
  emulator::Dispatch dispatch;
  dispatch.program_address = program->address() + info.entry_offset();
  dispatch.pgm_rsrc1 = info.descriptor.compute_pgm_rsrc1;
  // The runtime adds the LDS size, in blocks of 512 bytes, to what the descriptor says.
  dispatch.pgm_rsrc2 =
      info.descriptor.compute_pgm_rsrc2 | static_cast<uint32_t>(round_up(info.lds_size_bytes, 512) / 512) << 15;
  dispatch.pgm_rsrc3 = info.descriptor.compute_pgm_rsrc3;
  dispatch.user_data[0] = static_cast<uint32_t>(kernarg->address());
  dispatch.user_data[1] = static_cast<uint32_t>(kernarg->address() >> 32);
  dispatch.workgroup_size = {kernel.workgroup_size, 1, 1};
  dispatch.workgroup_count = groups;
  dispatch.start_workgroup = first;
  if (const auto fault = cores.run(dispatch, memory.space, {}, nullptr))
    return Status(StatusCode::kDeviceFault, fault->message);
  for (size_t i = 0; i < buffers.size(); ++i) {
    const std::span<std::byte> raw = inputs.params.at(kernel.params[i]->attr<ir::ParamAttr>().id);
    copy_changed(raw.data(), buffers[i].first->host() + buffers[i].second, raw.size());
  }
  return Status::ok();
}

}  // namespace

Result<std::unique_ptr<ShaderRunner>> ShaderRunner::create(size_t threads, emulator::Strictness strictness) {
  BW_ASSIGN(auto interpreter, emulator::make_interpreter(threads, strictness));
  BW_ASSIGN(auto jit, emulator::make_jit(threads, {}));
  return std::unique_ptr<ShaderRunner>(new ShaderRunner(std::move(interpreter), std::move(jit)));
}

Status ShaderRunner::run(const ir::Kernel& kernel, const ir::EvaluatorInputs& inputs, const compiler::LaneForm& form) {
  return run(kernel, form, workgroups(kernel, inputs), inputs);
}

Status ShaderRunner::run(const ir::Kernel& kernel, const compiler::KernelForm& form, std::array<uint32_t, 3> groups,
                         const ir::EvaluatorInputs& inputs, std::array<uint32_t, 3> first) {
  BW_ASSIGN(const compiler::CodeObject code, compiler::generate_code(kernel, form, compiler::Keep::kObjectOnly));
  BW_ASSIGN(const amdgpu::CodeObject object, amdgpu::CodeObject::parse(code.elf));
  if (object.kernels.size() != 1)
    return error(StatusCode::kDataLoss, "a code object with {} kernels", object.kernels.size());
  std::map<uint64_t, HostPages> translated;
  ir::EvaluatorInputs again{.params = {}, .variables = inputs.variables};
  for (const auto& [id, raw] : inputs.params) {
    BW_ASSIGN(HostPages pages, HostPages::create(raw.size()));
    copy_changed(pages.host(), raw.data(), raw.size());
    again.params[id] = {pages.host(), raw.size()};
    translated.emplace(id, std::move(pages));
  }
  BW_RETURN_IF_ERROR(run_on(*interpreter_, object, kernel, groups, first, inputs));
  BW_RETURN_IF_ERROR(run_on(*jit_, object, kernel, groups, first, again).with_context("on the JIT"));
  for (const auto& [id, raw] : inputs.params) {
    if (std::memcmp(raw.data(), translated.at(id).host(), raw.size()) == 0) continue;
    const auto [a, b] = std::mismatch(raw.begin(), raw.end(), translated.at(id).host());
    if (a != raw.end())
      return error(StatusCode::kDataLoss, "the engines differ in byte {} of param {}", a - raw.begin(), id);
  }
  if (jit_->translation_counts().failed != 0) return error(StatusCode::kDataLoss, "the JIT refused a program");
  return Status::ok();
}

}  // namespace bw::testing
