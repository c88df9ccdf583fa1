// Owns: what tensors share: the graph builder, the executor, and the buffers behind the graph's params.
//
//   BW_ASSIGN(std::shared_ptr<Runtime> runtime, Runtime::create(driver));
//   Tensor x = Tensor::from<float>(runtime, values, {2, 3});
//   BW_ASSIGN(std::vector<float> y, (x * 2.0 + 1.0).to_vector<float>());
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "ir/builder.h"
#include "kfd/driver.h"
#include "tensor/executor.h"

namespace bw::tensor {

struct RuntimeOptions {
  uint32_t gpu_index = 0;  // among the gfx1100 GPUs
  std::string cache_dir;   // of compiled kernels; "": none on disk (see default_cache_dir())
  size_t compiler_threads = 1;
  // How long the GPU may show no progress before it is given up; 0: the default of amdgpu::DeviceOptions.
  uint64_t wait_timeout_ns = 0;
  // Gets one line for each kernel that the compiler could not do well, such as one whose registers spill.
  std::function<void(const std::string&)> on_diagnostic = {};
  // Of how many forms of each kernel that reduces the fastest on this GPU is taken, by timing them; below 2: none is
  // timed, the compiler's cost models decide.
  size_t tuning_candidates = 0;
};

// Belongs to one thread at a time, as do its tensors. Tensors keep it alive.
class Runtime : public std::enable_shared_from_this<Runtime> {
 public:
  // On a GPU; `driver` must outlive the runtime. Errors: what opening the device says, with advice.
  static Result<std::shared_ptr<Runtime>> create(kfd::KernelDriver& driver, const RuntimeOptions& options = {});
  static std::shared_ptr<Runtime> create(std::unique_ptr<Executor> executor);

  ir::Builder& builder() { return builder_; }
  Executor& executor() { return *executor_; }

  // A param over new memory of undefined contents. The memory goes when no graph uses the param any more.
  // Errors: kInvalidArgument for an extent below 1 or a size that overflows; the device's, e.g. kOutOfMemory.
  Result<ir::NodePtr> allocate(ir::DType dtype, std::vector<int64_t> shape, std::string name);
  // The same, filled straight from `data` (which may be a mapped file), without a copy of the whole in between. It may
  // return while the last of it, which has been taken, is still on its way.
  Result<ir::NodePtr> upload(std::span<const std::byte> data, ir::DType dtype, std::vector<int64_t> shape,
                             std::string name);
  // Is called with the size of each piece of data that upload() has taken.
  void observe_uploads(std::function<void(uint64_t size_bytes)> observer) { upload_observer_ = std::move(observer); }
  // A param over memory that exists already.
  Result<ir::NodePtr> adopt(std::shared_ptr<DeviceBuffer> buffer, ir::DType dtype, std::vector<int64_t> shape,
                            std::string name);
  // The memory of a param made by this runtime; null for any other node.
  std::shared_ptr<DeviceBuffer> buffer_of(const ir::NodePtr& param) const;

  // Compiles and loads the program of `outputs`. The result keeps the memory it uses; it may outlive the tensors.
  Result<std::unique_ptr<PreparedProgram>> prepare(std::span<const ir::NodePtr> outputs);
  // The same of several parts that meet programs of others in between.
  Result<std::unique_ptr<PreparedProgram>> prepare_parts(std::vector<ProgramPart> parts);

 private:
  struct Entry {
    std::weak_ptr<const ir::Node> param;
    std::shared_ptr<DeviceBuffer> buffer;
  };

  explicit Runtime(std::unique_ptr<Executor> executor) : executor_(std::move(executor)) {}
  Status write(DeviceBuffer& buffer, std::span<const std::byte> data);
  Result<ParamBuffers> params_for(std::span<const ir::NodePtr> outputs) const;
  // Drops the memory of params that are gone.
  void sweep();

  std::unique_ptr<Executor> executor_;
  ir::Builder builder_;
  std::function<void(uint64_t size_bytes)> upload_observer_;
  std::unordered_map<uint64_t, Entry> buffers_;  // by ParamAttr::id
  uint64_t next_id_ = 1;
  size_t sweep_at_ = 64;        // size of buffers_ at which it is swept
  uint64_t unswept_bytes_ = 0;  // allocated since it was
};

}  // namespace bw::tensor
