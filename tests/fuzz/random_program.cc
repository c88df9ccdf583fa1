#include "tests/fuzz/random_program.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace bw::test {
namespace {

using Frame = RandomProgramFrame;

// Dwords 1 to 3 of the buffer resource: any stride, swizzling, format and range check, within the memory there is.
std::string random_resource(std::mt19937& random) {
  static constexpr uint32_t kStrides[] = {0, 4, 16, 20, 64};
  const uint32_t stride = kStrides[below(random, std::size(kStrides))];
  const uint32_t swizzle = below(random, 4) == 0 ? 1 + below(random, 3) : 0;
  const uint32_t records = stride == 0 || below(random, 2) == 0 ? below(random, 0x1000) : below(random, 64);
  // Word 3: selects, format, index stride, thread ids and range check, as amdgpu/gfx11/isa/buffer.h places them.
  const uint32_t word3 = (static_cast<uint32_t>(random()) & 0x307f'ffff) | (below(random, 8) == 0 ? 1u << 23 : 0);
  return fmt::format("s_or_b32 s93, s93, {:#x}\ns_mov_b32 s94, {:#x}\ns_mov_b32 s95, {:#x}",
                     stride << 16 | swizzle << 30, records, word3);
}

}  // namespace

RandomProgramGenerator::RandomProgramGenerator(uint32_t wave_size)
    : wave_size_(wave_size),
      llvm_(wave_size == 32 ? "+wavefrontsize32,-wavefrontsize64" : "-wavefrontsize32,+wavefrontsize64"),
      instructions_(wave_size, llvm_) {
  std::string problem;
  auto prologue = llvm_.assemble(Frame::prologue(wave_size), &problem);
  BW_CHECK(prologue.has_value());
  auto epilogue = llvm_.assemble(Frame::epilogue(wave_size), &problem);
  BW_CHECK(epilogue.has_value());
  prologue_ = std::move(*prologue);
  epilogue_ = std::move(*epilogue);
}

void RandomProgramGenerator::append(const std::string& text, Program* program) {
  const auto dwords = llvm_.assemble(text + "\n");
  BW_CHECK(dwords.has_value());
  program->code.insert(program->code.end(), dwords->begin(), dwords->end());
  program->text += text + "\n";
}

void RandomProgramGenerator::add_instruction(std::mt19937& random, Program* program) {
  const RandomInstructions::Chosen chosen = instructions_.make(from_, random);
  // WMMA wants all lanes active.
  if (std::string_view(chosen.info->name).starts_with("v_wmma")) append("s_mov_b64 exec, -1", program);
  if (!chosen.before.empty()) append(chosen.before.substr(0, chosen.before.size() - 1), program);
  program->code.insert(program->code.end(), chosen.dwords.begin(), chosen.dwords.end());
  program->text += chosen.text + "\n";
}

// Rounding and denormals, or clamping, IEEE and the overflow of f16, where they stand in MODE.
void RandomProgramGenerator::add_mode_change(std::mt19937& random, Program* program) {
  const uint32_t value = static_cast<uint32_t>(random()) & 0xff;
  switch (below(random, 4)) {
    case 0:
      return append(fmt::format("s_round_mode {:#x}", value & 15), program);
    case 1:
      return append(fmt::format("s_denorm_mode {:#x}", value & 15), program);
    case 2:
      return append(fmt::format("s_setreg_imm32_b32 hwreg(HW_REG_MODE, 0, 10), {:#x}", value | (value & 3) << 8),
                    program);
    default:
      return append(fmt::format("s_setreg_imm32_b32 hwreg(HW_REG_MODE, 23, 1), {}", value & 1), program);
  }
}

void RandomProgramGenerator::add_other(std::mt19937& random, Program* program) {
  static constexpr const char* kOthers[] = {
      "s_nop 3",
      "s_barrier",
      "s_clause 0x1",
      "s_delay_alu instid0(VALU_DEP_1)",
      "s_waitcnt vmcnt(0) lgkmcnt(0)",
      "s_sleep 0",
      "s_getreg_b32 s5, hwreg(HW_REG_MODE, 2, 7)",
      // Over the next instruction, by ways that only running the program tells.
      "s_getpc_b64 s[8:9]\ns_add_u32 s8, s8, 16\ns_addc_u32 s9, s9, 0\ns_setpc_b64 s[8:9]\nv_mov_b32 v1, v2",
      "s_call_b64 s[10:11], 1\nv_mov_b32 v3, v4",
  };
  // The last two bring a wave out of its translation for good: rare, or little would be tested of that.
  constexpr uint32_t kRare = 2;
  const uint32_t count = std::size(kOthers) - (below(random, 4) == 0 ? 0 : kRare);
  append(kOthers[below(random, count)], program);
}

std::string RandomProgramGenerator::exec_save(unsigned depth) const {
  const uint32_t sgpr = Frame::kExecSgpr + 2 * depth;
  return wave_size_ == 32 ? fmt::format("s{}", sgpr) : fmt::format("s[{}:{}]", sgpr, sgpr + 1);
}

// Two or three turns.
void RandomProgramGenerator::add_loop(std::mt19937& random, size_t instruction_count, unsigned depth,
                                      Program* program) {
  const uint32_t counter = Frame::kCounterSgpr + depth;
  append(fmt::format("s_mov_b32 s{}, {}", counter, 2 + below(random, 2)), program);
  const size_t begin = program->code.size();
  add_part(random, instruction_count, depth + 1, program);
  append(fmt::format("s_sub_u32 s{0}, s{0}, 1\ns_cmp_lg_u32 s{0}, 0", counter), program);
  append(fmt::format("s_cbranch_scc1 {}", 0x10000 - (program->code.size() + 1 - begin)), program);
}

// Lanes for which a comparison holds; left out if there are none.
void RandomProgramGenerator::add_divergent(std::mt19937& random, size_t instruction_count, unsigned depth,
                                           Program* program) {
  static constexpr const char* kCompares[] = {"lt_u32", "lt_i32", "lt_f32", "eq_u32", "nle_f32"};
  const bool is_wide = wave_size_ == 64;
  const std::string saved = exec_save(depth), exec = is_wide ? "exec" : "exec_lo", vcc = is_wide ? "vcc" : "vcc_lo";
  append(fmt::format("v_cmp_{} {}, v{}, v{}\ns_and_saveexec_b{} {}, {}", kCompares[below(random, std::size(kCompares))],
                     vcc, below(random, Frame::kVgprs), below(random, Frame::kVgprs), wave_size_, saved, vcc),
         program);
  Program part;
  add_part(random, instruction_count, depth + 1, &part);
  append(fmt::format("s_cbranch_execz {}", part.code.size()), program);
  program->code.insert(program->code.end(), part.code.begin(), part.code.end());
  program->text += part.text;
  append(fmt::format("s_mov_b{} {}, {}", wave_size_, exec, saved), program);
}

void RandomProgramGenerator::add_skipped(std::mt19937& random, size_t instruction_count, unsigned depth,
                                         Program* program) {
  static constexpr const char* kBranches[] = {"scc0", "scc1", "vccz", "vccnz", "execz", "execnz"};
  Program part;
  add_part(random, instruction_count, depth + 1, &part);
  append(fmt::format("s_cbranch_{} {}", kBranches[below(random, std::size(kBranches))], part.code.size()), program);
  program->code.insert(program->code.end(), part.code.begin(), part.code.end());
  program->text += part.text;
}

void RandomProgramGenerator::add_part(std::mt19937& random, size_t instruction_count, unsigned depth,
                                      Program* program) {
  for (size_t i = 0; i < instruction_count;) {
    const size_t inner = std::min<size_t>(1 + below(random, 8), instruction_count - i);
    const uint32_t choice = below(random, 40);
    if (choice < 3 && depth < Frame::kMaxDepth) {
      if (choice == 0) add_loop(random, inner, depth, program);
      if (choice == 1) add_divergent(random, inner, depth, program);
      if (choice == 2) add_skipped(random, inner, depth, program);
      i += inner;
      continue;
    }
    if (choice == 3) add_mode_change(random, program);
    if (choice == 4) add_other(random, program);
    // Without active lanes nothing more would happen.
    if (choice < 10 && depth == 0) append("s_mov_b64 exec, -1", program);
    add_instruction(random, program);
    ++i;
  }
}

RandomProgramGenerator::Program RandomProgramGenerator::make(std::mt19937& random, size_t instruction_count) {
  Program program;
  program.code = prologue_;
  append(random_resource(random), &program);
  from_ = below(random, 2) == 0 ? RandomInstructions::From::kAll : RandomInstructions::From::kTranslated;
  add_part(random, instruction_count, 0, &program);
  program.code.insert(program.code.end(), epilogue_.begin(), epilogue_.end());
  return program;
}

}  // namespace bw::test
