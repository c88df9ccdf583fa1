#include "tensor/executor.h"

namespace bw::tensor {

Status PreparedProgram::run_block(const RunBlock& block, const RunCallback& on_run) {
  for (const VariableValues& variables : block.runs) {
    uint32_t go_on = 0;
    BW_RETURN_IF_ERROR(block.go_on->read(0, std::as_writable_bytes(std::span(&go_on, 1))));
    if (go_on == 0) break;
    BW_RETURN_IF_ERROR(run(variables));
    uint32_t result = 0;
    BW_RETURN_IF_ERROR(block.result->read(0, std::as_writable_bytes(std::span(&result, 1))));
    if (!on_run(result)) break;
  }
  return Status::ok();
}

namespace {

// False: no more are wanted, or what is next was left out.
Result<bool> follow(PreparedProgram& program, PreparedProgram::Started block, size_t count, const RunCallback& on_run) {
  for (size_t i = 0; i < count; ++i) {
    BW_ASSIGN(const std::optional<uint32_t> result, program.wait_run(block, i));
    if (!result || !on_run(*result)) return false;
  }
  return true;
}

}  // namespace

Status run_in_turns(PreparedProgram& program, std::span<const VariableValues> runs,
                    const std::function<Result<size_t>(std::span<const VariableValues>)>& start,
                    const RunCallback& on_run, const std::function<Status()>& cancel) {
  using Started = PreparedProgram::Started;
  const auto start_next = [&]() -> Result<size_t> {
    if (runs.empty()) return size_t{0};
    BW_ASSIGN(const size_t count, start(runs));
    runs = runs.subspan(count);
    return count;
  };
  BW_ASSIGN(size_t running, start_next());
  while (running != 0) {
    const auto next = start_next();
    Status status = next.status();
    bool goes_on = false;
    if (status.is_ok()) {
      auto followed = follow(program, next.value() != 0 ? Started::kBeforeLast : Started::kLast, running, on_run);
      status = followed.status();
      goes_on = followed.is_ok() && followed.value();
    }
    if (!goes_on) {
      const Status cancelled = cancel();  // the first error counts
      return status.is_ok() ? cancelled : status;
    }
    running = next.value();
  }
  return Status::ok();
}

}  // namespace bw::tensor
