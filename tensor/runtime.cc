#include "tensor/runtime.h"

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <utility>

namespace bw::tensor {
namespace {

constexpr uint64_t kMaxBufferBytes = uint64_t{1} << 40;
// Allocated bytes after which memory is looked for that no expression uses any more.
constexpr uint64_t kSweepBytes = uint64_t{256} << 20;
// Of the data that upload() hands on at once.
constexpr uint64_t kUploadPieceBytes = uint64_t{16} << 20;

Result<uint64_t> buffer_size(ir::DType dtype, const std::vector<int64_t>& shape, const std::string& name) {
  uint64_t size = ir::size_bytes(dtype);
  for (int64_t extent : shape) {
    if (extent < 1) {
      return error(StatusCode::kInvalidArgument, "making '{}': an extent is {}, not at least 1", name, extent);
    }
    if (static_cast<uint64_t>(extent) > kMaxBufferBytes / size) {
      return error(StatusCode::kInvalidArgument, "making '{}': it would be larger than {} bytes", name,
                   kMaxBufferBytes);
    }
    size *= static_cast<uint64_t>(extent);
  }
  return size;
}

// All params that `outputs` depend on.
std::unordered_set<const ir::Node*> params_of(std::span<const ir::NodePtr> outputs) {
  std::unordered_set<const ir::Node*> params;
  for (const ir::NodePtr& node : ir::topological_order(outputs)) {
    if (node->op == ir::Op::kParam) params.insert(node.get());
  }
  return params;
}

}  // namespace

std::shared_ptr<Runtime> Runtime::create(std::unique_ptr<Executor> executor) {
  return std::shared_ptr<Runtime>(new Runtime(std::move(executor)));  // NOLINT: the constructor is private
}

Result<ir::NodePtr> Runtime::allocate(ir::DType dtype, std::vector<int64_t> shape, std::string name) {
  BW_ASSIGN(const uint64_t size, buffer_size(dtype, shape, name));
  unswept_bytes_ += size;
  if (buffers_.size() >= sweep_at_ || unswept_bytes_ >= kSweepBytes) sweep();
  auto buffer = executor_->allocate(size);
  if (!buffer.is_ok() && buffer.status().code() == StatusCode::kOutOfMemory) {
    sweep();
    buffer = executor_->allocate(size);
  }
  if (!buffer.is_ok()) {
    return std::move(buffer).status().with_context(fmt::format("making '{}' ({} bytes)", name, size));
  }
  return adopt(std::move(buffer).value(), dtype, std::move(shape), std::move(name));
}

Result<ir::NodePtr> Runtime::upload(std::span<const std::byte> data, ir::DType dtype, std::vector<int64_t> shape,
                                    std::string name) {
  BW_ASSIGN(const uint64_t size, buffer_size(dtype, shape, name));
  if (size != data.size()) {
    return error(StatusCode::kInvalidArgument, "making '{}': its shape needs {} bytes, but {} are given", name, size,
                 data.size());
  }
  BW_ASSIGN(ir::NodePtr param, allocate(dtype, std::move(shape), name));
  if (Status status = write(*buffer_of(param), data); !status.is_ok()) {
    return std::move(status).with_context(fmt::format("uploading '{}'", name));
  }
  return param;
}

// In pieces, so that an observer hears of large ones in time.
Status Runtime::write(DeviceBuffer& buffer, std::span<const std::byte> data) {
  for (uint64_t done = 0; done < data.size();) {
    const auto piece = data.subspan(done, std::min<uint64_t>(kUploadPieceBytes, data.size() - done));
    BW_RETURN_IF_ERROR(buffer.upload(done, piece));
    done += piece.size();
    if (upload_observer_) upload_observer_(piece.size());
  }
  return Status::ok();
}

Result<ir::NodePtr> Runtime::adopt(std::shared_ptr<DeviceBuffer> buffer, ir::DType dtype, std::vector<int64_t> shape,
                                   std::string name) {
  const uint64_t id = next_id_++;
  BW_ASSIGN(ir::NodePtr param, builder_.param(id, std::move(name), dtype, std::move(shape)));
  buffers_[id] = Entry{param, std::move(buffer)};
  return param;
}

std::shared_ptr<DeviceBuffer> Runtime::buffer_of(const ir::NodePtr& param) const {
  if (param->op != ir::Op::kParam) return nullptr;
  const auto found = buffers_.find(param->attr<ir::ParamAttr>().id);
  return found == buffers_.end() ? nullptr : found->second.buffer;
}

Result<ParamBuffers> Runtime::params_for(std::span<const ir::NodePtr> outputs) const {
  ParamBuffers params;
  for (const ir::Node* param : params_of(outputs)) {
    const auto& [id, name] = param->attr<ir::ParamAttr>();
    const auto found = buffers_.find(id);
    // Ids of two runtimes may be equal, nodes are not.
    if (found == buffers_.end() || found->second.param.lock().get() != param) {
      return error(StatusCode::kInvalidArgument, "preparing a program: '{}' belongs to another runtime", name);
    }
    params[id] = found->second.buffer;
  }
  return params;
}

Result<std::unique_ptr<PreparedProgram>> Runtime::prepare(std::span<const ir::NodePtr> outputs) {
  BW_ASSIGN(const ParamBuffers params, params_for(outputs));
  return executor_->prepare(outputs, params);
}

Result<std::unique_ptr<PreparedProgram>> Runtime::prepare_parts(std::vector<ProgramPart> parts) {
  for (ProgramPart& part : parts) {
    BW_ASSIGN(part.params, params_for(part.outputs));
  }
  return executor_->prepare_parts(parts);
}

void Runtime::sweep() {
  std::erase_if(buffers_, [](const auto& item) { return item.second.param.expired(); });
  sweep_at_ = std::max<size_t>(64, buffers_.size() * 2);
  unswept_bytes_ = 0;
}

}  // namespace bw::tensor
