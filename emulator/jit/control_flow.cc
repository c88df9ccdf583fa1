#include "emulator/jit/control_flow.h"

#include <unordered_set>

#include "emulator/shader/handlers.h"

namespace bw::emulator::jit {

Flow flow_of(const Step& step) {
  const HandlerTable& h = handlers();
  const Handler run = step.run;
  if (run == h[Op::s_delay_alu]) return Flow::kNothing;
  if (run == h[Op::s_branch] || run == run_goto) return Flow::kJump;
  for (const Op op : {Op::s_cbranch_scc0, Op::s_cbranch_scc1, Op::s_cbranch_vccz, Op::s_cbranch_vccnz,
                      Op::s_cbranch_execz, Op::s_cbranch_execnz}) {
    if (run == h[op]) return Flow::kBranch;
  }
  if (run == h[Op::s_barrier]) return Flow::kBarrier;
  if (run == h[Op::s_endpgm]) return Flow::kEnd;
  for (const Op op : {Op::s_setpc_b64, Op::s_swappc_b64, Op::s_call_b64, Op::s_rfe_b64, Op::s_code_end, Op::s_trap}) {
    if (run == h[op]) return Flow::kLeaves;
  }
  for (const Handler handler : {run_illegal, run_unimplemented, run_undecoded, run_too_large, run_unmapped}) {
    if (run == handler) return Flow::kLeaves;
  }
  return Flow::kNext;
}

std::optional<ControlFlow> follow_control_flow(const Step* entry) {
  ControlFlow flow;
  std::unordered_set<const Step*> is_leader;
  const auto add_leader = [&](const Step* step) {
    if (is_leader.insert(step).second) flow.leaders.push_back(step);
  };
  add_leader(entry);
  for (size_t i = 0; i < flow.leaders.size(); ++i) {
    for (const Step* step = flow.leaders[i];; ++step) {
      if (!flow.numbers.emplace(step, static_cast<uint32_t>(flow.steps.size())).second) break;
      if (flow.steps.size() == kMaxTranslatedSteps) return std::nullopt;
      flow.steps.push_back(step);
      const Flow way = flow_of(*step);
      if (way == Flow::kJump || way == Flow::kBranch) add_leader(step->target);
      if (way == Flow::kBranch || way == Flow::kBarrier) add_leader(step + 1);
      if (way != Flow::kNext && way != Flow::kNothing) break;
    }
  }
  return flow;
}

}  // namespace bw::emulator::jit
