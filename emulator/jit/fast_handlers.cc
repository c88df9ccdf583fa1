#include "emulator/jit/fast_handlers.h"

namespace bw::emulator::jit {
namespace {

FastHandlerTable make_table() {
  FastHandlerTable table;
  add_memory(table);
  add_wmma(table);
  table.erase(nullptr);
  return table;
}

}  // namespace

Handler fast_handler_of(Handler handler) {
  static const FastHandlerTable table = make_table();
  const auto it = table.find(handler);
  return it == table.end() ? nullptr : it->second;
}

}  // namespace bw::emulator::jit
