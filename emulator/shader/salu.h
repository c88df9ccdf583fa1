// Owns: the frame of scalar arithmetic. The types of a lambda say how wide the operands are:
//   bind(Op::s_and_b64, salu([](uint64_t a, uint64_t b, bool& scc) { ... return result; }));
// A lambda that takes bool& may read SCC and sets it.
#pragma once

#include <tuple>
#include <type_traits>
#include <utility>

#include "emulator/shader/step.h"

namespace bw::emulator {

template <class T>
T read_scalar(const Wave& wave, const Source& source) {
  if constexpr (sizeof(T) == 4)
    return static_cast<T>(read32(wave, source));
  else
    return static_cast<T>(read64(wave, source));
}

template <class T>
void write_scalar(Wave& wave, unsigned slot, T value) {
  if constexpr (sizeof(T) == 4)
    wave.s[slot] = static_cast<uint32_t>(value);
  else
    wave.set_s64(slot, static_cast<uint64_t>(value));
}

template <class L>
struct SaluFrame;

template <class L, class R, class... A>
struct SaluFrame<R (L::*)(A...) const> {
  static constexpr bool kHasScc = (false || ... || std::is_same_v<A, bool&>);
  using Args = std::tuple<A...>;

  template <size_t... I>
  static R call(const Wave& w, const Step& s, bool& scc, std::index_sequence<I...>) {
    if constexpr (kHasScc)
      return L{}(read_scalar<std::tuple_element_t<I, Args>>(w, s.src[I])..., scc);
    else
      return L{}(read_scalar<std::tuple_element_t<I, Args>>(w, s.src[I])...);
  }
  static void run(Wave& w, const Step& s) {
    bool scc = w.scc();
    const R result = call(w, s, scc, std::make_index_sequence<sizeof...(A) - (kHasScc ? 1 : 0)>{});
    write_scalar(w, s.dst, result);
    if constexpr (kHasScc) w.set_scc(scc);
  }
};

template <class L>
constexpr Handler salu(L) {
  return &SaluFrame<decltype(&L::operator())>::run;
}

// Compares: the result goes to SCC.
template <class L, class T>
void run_salu_compare(Wave& w, const Step& s) {
  w.set_scc(L{}(read_scalar<T>(w, s.src[0]), read_scalar<T>(w, s.src[1])));
}
template <class T, class L>
constexpr Handler salu_compare(L) {
  return &run_salu_compare<L, T>;
}

}  // namespace bw::emulator
