#include "emulator/memory/client_fault.h"

#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

#include <cstring>
#include <mutex>
#include <utility>

#include "emulator/memory/client_access.h"

namespace bw::emulator {
namespace {

// Signals belong to the process, so this state does too. Written once, before the handlers are in place.
struct sigaction segv_before;
struct sigaction bus_before;
std::once_flag handlers_in_place;

constinit thread_local FaultCatcher* innermost = nullptr;

// The error code of a page fault. Source: Intel SDM, volume 3, "Page-fault exceptions".
constexpr long long kPageFaultWrite = 1 << 1;

void pass_on(int signal, siginfo_t* info, void* context) {
  const struct sigaction& before = signal == SIGSEGV ? segv_before : bus_before;
  if ((before.sa_flags & SA_SIGINFO) != 0) return before.sa_sigaction(signal, info, context);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) return before.sa_handler(signal);
  // The access is repeated, and ends the process as it would have without this handler.
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(signal, &standard, nullptr);
  if (info->si_code <= 0) ::raise(signal);  // sent by somebody: there is no access
}

void on_fault(int signal, siginfo_t* info, void* context) {
  // Should looking for the mapping fault in its turn, that is not the client's doing.
  FaultCatcher* catcher = std::exchange(innermost, nullptr);
  Mapping mapping;
  const auto* host = static_cast<const std::byte*>(info->si_addr);
  if (catcher == nullptr || info->si_code <= 0 || !catcher->space().find_host(host, &mapping)) {
    innermost = catcher;
    return pass_on(signal, info, context);
  }
  const auto* interrupted = static_cast<const ucontext_t*>(context);
  const bool is_write = (interrupted->uc_mcontext.gregs[REG_ERR] & kPageFaultWrite) != 0;
  catcher->fault.address = mapping.begin + static_cast<uint64_t>(host - mapping.host);
  catcher->fault.access = is_write ? Access::kWrite : Access::kRead;
  innermost = catcher;
  // This handler blocks no signal, but ThreadSanitizer's around it does.
  pthread_sigmask(SIG_SETMASK, &interrupted->uc_sigmask, nullptr);
  siglongjmp(catcher->place, 1);
}

void put_handlers_in_place() {
  struct sigaction action = {};
  action.sa_sigaction = on_fault;
  // Another thread of the client may overflow its stack.
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  ::sigaction(SIGSEGV, nullptr, &segv_before);
  ::sigaction(SIGBUS, nullptr, &bus_before);
  ::sigaction(SIGSEGV, &action, nullptr);
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

FaultCatcher::FaultCatcher(Tlb& tlb)
    : space_(tlb.space()), use_(tlb), outer_(innermost), client_accesses_(ClientAccess::count()) {
  std::call_once(handlers_in_place, put_handlers_in_place);
  innermost = this;
}

FaultCatcher::~FaultCatcher() {
  innermost = outer_;
}

const ClientFault& FaultCatcher::settle() {
  ClientAccess::restore(client_accesses_);
  return fault;
}

bool read_client_memory(Tlb& tlb, uint64_t address, void* destination, uint32_t size_bytes, Access access) {
  bool is_mapped = false;
  const auto fault = touch_client_memory(tlb, [&] {
    const std::byte* host = tlb.translate(address, size_bytes, access);
    if (host == nullptr) return;
    const ClientAccess client;
    std::memcpy(destination, host, size_bytes);
    is_mapped = true;
  });
  return is_mapped && !fault;
}

}  // namespace bw::emulator
