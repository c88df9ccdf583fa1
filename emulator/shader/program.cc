#include "emulator/shader/program.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "amdgpu/gfx11/isa/decode.h"
#include "emulator/memory/client_access.h"
#include "emulator/memory/client_fault.h"
#include "emulator/shader/handlers.h"

namespace bw::emulator {
namespace {

using amdgpu::gfx11::Instruction;

// Dwords at `address`, as many as can be fetched of those that an instruction may have.
size_t fetch_code(uint64_t address, Tlb& tlb, uint32_t* out) {
  size_t count = 0;
  for (; count < amdgpu::gfx11::kMaxInstructionDwords; ++count) {
    if (!read_client_memory(tlb, address + count * 4, &out[count], 4, Access::kExecute)) break;
  }
  return count;
}

// Whether the dwords, which are no instruction, are the beginning of one.
bool is_begun(std::span<const uint32_t> dwords) {
  std::array<uint32_t, amdgpu::gfx11::kMaxInstructionDwords> more{};
  std::copy(dwords.begin(), dwords.end(), more.begin());
  const auto in = amdgpu::gfx11::decode(more);
  return in.is_ok() && in->size_dwords > dwords.size();
}

// Whether control never falls through to the next instruction.
bool ends_run(Op op) {
  switch (op) {
    case Op::s_branch:
    case Op::s_setpc_b64:
    case Op::s_rfe_b64:
    case Op::s_endpgm:
    case Op::s_endpgm_saved:
    case Op::s_code_end:
      return true;
    default:
      return false;
  }
}

bool is_direct_branch(const Instruction& in) {
  const Op op = in.info->op;
  return op == Op::s_call_b64 || op == Op::s_subvector_loop_begin || op == Op::s_subvector_loop_end ||
         (in.info->encoding == amdgpu::gfx11::Encoding::SOPP && in.info->has(amdgpu::gfx11::InstructionInfo::kBranch));
}

Step special_step(Handler handler, uint64_t pc, uint8_t weight) {
  Step step;
  step.run = handler;
  step.pc = pc;
  step.weight = weight;
  step.size_dwords = 1;
  return step;
}

}  // namespace

void Program::decode_run(uint64_t address, Tlb& tlb, std::vector<uint64_t>& work, std::vector<Jump>& jumps) {
  struct PendingJump {
    size_t step;
    uint64_t target;
  };
  std::vector<Step> run;
  std::vector<PendingJump> pending;
  std::vector<std::pair<uint64_t, size_t>> starts;
  Code code{address, {}};
  for (bool more = true; more;) {
    if (steps_.contains(address)) {
      pending.push_back({run.size(), address});
      run.push_back(special_step(run_goto, address, 0));
      break;
    }
    if (run.size() >= kMaxRunSteps) {
      run.push_back(special_step(run_undecoded, address, 0));
      break;
    }
    starts.emplace_back(address, run.size());
    std::array<uint32_t, amdgpu::gfx11::kMaxInstructionDwords> dwords;
    const size_t count = fetch_code(address, tlb, dwords.data());
    auto in = amdgpu::gfx11::decode({dwords.data(), count});
    if (!in.is_ok()) {
      const bool is_cut_off = count == 0 || is_begun({dwords.data(), count});
      run.push_back(special_step(is_cut_off ? run_unmapped : run_illegal, address, 1));
      run.back().imm = static_cast<int32_t>(count * 4);
      code.dwords.insert(code.dwords.end(), dwords.begin(), dwords.begin() + static_cast<long>(count));
      break;
    }
    const size_t first = run.size();
    resolve(in.value(), address, wave_size_, constants_, run);
    code.dwords.insert(code.dwords.end(), dwords.begin(), dwords.begin() + in->size_dwords);
    address += in->size_dwords * 4u;
    if (is_direct_branch(in.value())) {
      const uint64_t target = address + static_cast<int64_t>(run[first].imm) * 4;
      pending.push_back({first, target});
      work.push_back(target);
    }
    more = !ends_run(in->info->op);
  }
  for (Step& step : run) step.number = step_count_++;
  runs_.push_back(std::move(run));
  for (const auto& [start, index] : starts) steps_.emplace(start, &runs_.back()[index]);
  for (const PendingJump& jump : pending) jumps.push_back({&runs_.back()[jump.step], jump.target});
  code_.push_back(std::move(code));
}

const Step* Program::step_at(uint64_t address, Tlb& tlb) {
  if (address % 4 != 0) return nullptr;
  std::lock_guard lock(mutex_);
  if (const auto it = steps_.find(address); it != steps_.end()) return it->second;
  if (steps_.size() >= kMaxInstructions) return substitute(run_too_large, address);
  std::vector<uint64_t> work = {address};
  std::vector<Jump> jumps;
  const size_t enough = steps_.size() + kMaxStepsAtOnce;
  while (!work.empty() && steps_.size() < enough) {
    const uint64_t next = work.back();
    work.pop_back();
    if (!steps_.contains(next)) decode_run(next, tlb, work, jumps);
  }
  for (const Jump& jump : jumps) {
    const auto it = steps_.find(jump.target);
    jump.step->target = it != steps_.end() ? it->second : substitute(run_undecoded, jump.target);
  }
  if (entry_pieces_ == 0) entry_pieces_ = code_.size();
  return steps_.at(address);
}

const Step* Program::resume(const Step* step) const {
  const Translation* translation = translation_in_use_.load(std::memory_order_acquire);
  if (translation == nullptr) return step;
  const Step* resumed = translation->resume_at(step);
  return resumed != nullptr ? resumed : step;
}

ProgramCode Program::code() const {
  std::lock_guard lock(mutex_);
  ProgramCode code;
  code.wave_size = wave_size_;
  const uint64_t entry = code_.front().begin;
  code.entry = steps_.at(entry);
  for (size_t i = 0; i < entry_pieces_; ++i) code.pieces.push_back({code_[i].begin - entry, code_[i].dwords});
  return code;
}

void Program::adopt(std::unique_ptr<Translation> translation) {
  translation_ = std::move(translation);
  translation_in_use_.store(translation_.get(), std::memory_order_release);
}

const Step* Program::substitute(Handler handler, uint64_t address) {
  runs_.push_back({special_step(handler, address, 0)});
  runs_.back().front().number = step_count_++;
  return runs_.back().data();
}

bool Program::matches(Tlb& tlb) const {
  std::lock_guard lock(mutex_);
  return std::all_of(code_.begin(), code_.end(), [&](const Code& code) {
    const size_t size_bytes = code.dwords.size() * 4;
    bool is_same = false;
    const auto fault = touch_client_memory(tlb, [&] {
      const std::byte* host = tlb.translate(code.begin, static_cast<uint32_t>(size_bytes), Access::kExecute);
      const ClientAccess client;
      is_same = host != nullptr && std::memcmp(host, code.dwords.data(), size_bytes) == 0;
    });
    return is_same && !fault;
  });
}

std::shared_ptr<Program> ProgramCache::find(uint64_t address, uint32_t wave_size, Tlb& tlb) {
  // Entries are multiples of 256, so the wave size fits below.
  const uint64_t key = address | wave_size >> 5;
  std::lock_guard lock(mutex_);
  if (const auto it = by_key_.find(key); it != by_key_.end()) {
    entries_.splice(entries_.begin(), entries_, it->second);
    if (entries_.front().program->matches(tlb)) return entries_.front().program;
    entries_.front().program = std::make_shared<Program>(wave_size);
    return entries_.front().program;
  }
  entries_.push_front({address, wave_size, std::make_shared<Program>(wave_size)});
  by_key_.emplace(key, entries_.begin());
  if (entries_.size() > kMaxPrograms) {
    by_key_.erase(entries_.back().address | entries_.back().wave_size >> 5);
    entries_.pop_back();
  }
  return entries_.front().program;
}

}  // namespace bw::emulator
