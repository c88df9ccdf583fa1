// Every request of KFD: that it succeeds, and each errno that it gives. What a request means is tested where that is
// built; here stands the list, and that no request is missing in it.
#include <cerrno>
#include <map>
#include <set>

#include "emulator/testing/ioctl_cases.h"

namespace bw::emulator {
namespace {

using namespace kfd::uapi;
using testing::Bench;
using testing::Case;
using testing::kGetProcessAperturesOld;

// Those who read or write something at the address they are given.
std::vector<Case> null_cases() {
  std::vector<Case> cases;
  for (unsigned long request : {kGetVersion,
                                kCreateQueue,
                                kDestroyQueue,
                                kSetMemoryPolicy,
                                kGetClockCounters,
                                kUpdateQueue,
                                kCreateEvent,
                                kDestroyEvent,
                                kSetEvent,
                                kResetEvent,
                                kWaitEvents,
                                kSetScratchBackingVa,
                                kGetTileConfig,
                                kSetTrapHandler,
                                kGetProcessApertures,
                                kAcquireVm,
                                kAllocMemory,
                                kFreeMemory,
                                kMapMemory,
                                kUnmapMemory,
                                kSetCuMask,
                                kGetQueueWaveState,
                                kGetDmabufInfo,
                                kImportDmabuf,
                                kAllocQueueGws,
                                kSmiEvents,
                                kSvm,
                                kSetXnackMode,
                                kAvailableMemory,
                                kExportDmabuf,
                                kRuntimeEnable,
                                kDbgTrap,
                                kDbgRegister,
                                kDbgUnregister,
                                kDbgAddressWatch,
                                kDbgWaveControl,
                                kGetProcessAperturesOld}) {
    cases.push_back({"null", request, -EFAULT, [request](Bench& b) { return b.null_request(request); }});
  }
  return cases;
}

std::vector<Case> all_cases() {
  std::vector<Case> cases = null_cases();
  for (const auto& more :
       {testing::process_cases(), testing::memory_cases(), testing::queue_cases(), testing::event_cases()}) {
    cases.insert(cases.end(), more.begin(), more.end());
  }
  return cases;
}

TEST(IoctlTable, EveryAnswerIsAsLinuxGivesIt) {
  for (const Case& tried : all_cases()) {
    Bench bench;
    EXPECT_EQ(tried.run(bench), tried.expected) << "request " << request_nr(tried.request) << ", " << tried.name;
  }
}

TEST(IoctlTable, NoRequestIsMissing) {
  std::map<unsigned, std::set<int>> answers;
  for (const Case& tried : all_cases()) answers[request_nr(tried.request)].insert(tried.expected);
  const std::set<unsigned> never = {0x0d, 0x0e, 0x0f, 0x10, 0x22};  // debuggers of old, checkpoints
  const std::set<unsigned> elsewhere = {0x06,               // ioctls_test.cc: the apertures of at most seven cards
                                        0x1c, 0x1d, 0x26};  // dmabuf_test.cc (and with the export above), debug_test.cc
  for (unsigned nr = 0x01; nr <= 0x26; ++nr) {
    if (elsewhere.contains(nr)) continue;
    EXPECT_EQ(answers[nr].contains(0), !never.contains(nr)) << nr;
    EXPECT_GE(answers[nr].size(), nr == 0x22 ? 1u : 2u) << nr << ": success and failures";
  }
}

}  // namespace
}  // namespace bw::emulator
