// Owns: a translation in the memory of this process: its code linked, and its references resolved to the steps of the
// program that it belongs to.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "emulator/jit/code_image.h"
#include "emulator/jit/control_flow.h"
#include "emulator/jit/linker.h"
#include "emulator/jit/program_builder.h"
#include "emulator/jit/strip.h"
#include "emulator/shader/translator.h"

namespace bw::emulator::jit {

class NativeProgram final : public Translation {
 public:
  // kDataLoss if the image is not one of this program.
  static Result<std::unique_ptr<NativeProgram>> create(const CodeImage& image, const ControlFlow& flow, Linker& linker);

  const Step* resume_at(const Step* step) const override;

 private:
  NativeProgram() = default;
  Status make_records(const CodeImage& image, const ControlFlow& flow);
  Status resolve(const CodeImage& image, const ControlFlow& flow);

  std::unique_ptr<LinkedCode> code_;
  std::vector<ResumePoint> resume_points_;
  std::unordered_map<const Step*, const Step*> resume_point_of_;
  const Step* program_entry_ = nullptr;
  std::vector<StripRecord> strips_;
  std::vector<uint64_t> table_;
};

}  // namespace bw::emulator::jit
