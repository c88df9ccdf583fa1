#include "emulator/jit/translated.h"

#include "emulator/jit/fast_handlers.h"
#include "emulator/jit/fast_loads.h"
#include "emulator/jit/scalar_ops.h"
#include "emulator/jit/strip.h"

namespace bw::emulator::jit {

bool is_translated(Handler handler) {
  return vector_emit_of(handler) != nullptr || scalar_emit_of(handler) != nullptr ||
         fast_handler_of(handler) != nullptr || fast_load_of(handler) != nullptr;
}

}  // namespace bw::emulator::jit
