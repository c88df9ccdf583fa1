#include "emulator/jit/native_program.h"

#include "emulator/jit/fast_handlers.h"
#include "emulator/jit/fast_loads.h"
#include "emulator/jit/host_calls.h"

namespace bw::emulator::jit {
namespace {

uint64_t address_of(const void* pointer) {
  return reinterpret_cast<uintptr_t>(pointer);
}

}  // namespace

Result<std::unique_ptr<NativeProgram>> NativeProgram::create(const CodeImage& image, const ControlFlow& flow,
                                                             Linker& linker) {
  if (image.step_count != flow.steps.size()) {
    return error(StatusCode::kDataLoss, "translated code of a program of {} steps, expected {}", image.step_count,
                 flow.steps.size());
  }
  std::unique_ptr<NativeProgram> program(new NativeProgram());
  BW_RETURN_IF_ERROR(program->make_records(image, flow));
  BW_RETURN_IF_ERROR(program->resolve(image, flow));
  BW_ASSIGN(program->code_, linker.link(image.object, kFunctionName));
  const auto run = reinterpret_cast<Handler>(program->code_->function());
  for (size_t i = 0; i < image.resume_points.size(); ++i) {
    ResumePoint& point = program->resume_points_[i];
    program->resume_point_of_[flow.steps[image.resume_points[i]]] = &point.step;
    point.step.run = run;
    point.table = program->table_.data();
  }
  program->program_entry_ = flow.steps[image.resume_points.front()];
  return program;
}

// Called for every turn of every wave: the usual cases first.
const Step* NativeProgram::resume_at(const Step* step) const {
  if (step == program_entry_) return &resume_points_.front().step;
  const auto address = address_of(step);
  if (address >= address_of(&resume_points_.front()) && address <= address_of(&resume_points_.back())) return step;
  const auto it = resume_point_of_.find(step);
  return it == resume_point_of_.end() ? nullptr : it->second;
}

Status NativeProgram::make_records(const CodeImage& image, const ControlFlow& flow) {
  for (const uint32_t number : image.resume_points) {
    ResumePoint& point = resume_points_.emplace_back();
    point.step.imm = static_cast<int32_t>(resume_points_.size() - 1);
    point.step.pc = flow.steps[number]->pc;
    point.step.weight = 0;
  }
  for (const std::vector<uint32_t>& numbers : image.strips) {
    std::vector<const Step*> steps;
    for (const uint32_t number : numbers) {
      steps.push_back(flow.steps[number]);
      if (!is_strip_step(*steps.back(), kMaxPieceLanes))
        return error(StatusCode::kDataLoss, "step {} is not for strips", number);
    }
    strips_.push_back(make_strip_record(std::move(steps)));
  }
  return Status::ok();
}

Status NativeProgram::resolve(const CodeImage& image, const ControlFlow& flow) {
  for (const auto& [kind, value] : image.table) {
    switch (kind) {
      case Reference::Kind::kNumber:
        table_.push_back(value);
        break;
      case Reference::Kind::kHostCall:
        table_.push_back(address_of(jit::address_of(static_cast<HostCall>(value))));
        break;
      case Reference::Kind::kStep:
        table_.push_back(address_of(flow.steps[value]));
        break;
      case Reference::Kind::kFastHandler: {
        const Handler fast = fast_handler_of(flow.steps[value]->run);
        if (fast == nullptr) return error(StatusCode::kDataLoss, "step {} has no fast handler", value);
        table_.push_back(address_of(reinterpret_cast<const void*>(fast)));
        break;
      }
      case Reference::Kind::kFastLoad: {
        const LoadHandler fast = fast_load_of(flow.steps[value]->run);
        if (fast == nullptr) return error(StatusCode::kDataLoss, "step {} has no fast load", value);
        table_.push_back(address_of(reinterpret_cast<const void*>(fast)));
        break;
      }
      case Reference::Kind::kStrip:
        table_.push_back(address_of(&strips_[value]));
        break;
      case Reference::Kind::kResumePoint:
        table_.push_back(address_of(&resume_points_[value].step));
        break;
    }
  }
  return Status::ok();
}

}  // namespace bw::emulator::jit
