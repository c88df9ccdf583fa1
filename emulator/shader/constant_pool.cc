#include "emulator/shader/resolve.h"

namespace bw::emulator {

const Row* ConstantPool::get(uint64_t value) {
  const auto [it, is_new] = by_value_.try_emplace(value, nullptr);
  if (is_new) {
    std::array<Row, 2>& rows = rows_.emplace_back();
    for (uint32_t& lane : rows[0].lane) lane = lo32(value);
    for (uint32_t& lane : rows[1].lane) lane = hi32(value);
    it->second = rows.data();
  }
  return it->second;
}

}  // namespace bw::emulator
