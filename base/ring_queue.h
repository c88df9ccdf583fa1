// Owns: a first-in, first-out queue of bounded length that never allocates after it was made.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/check.h"

namespace bw {

template <typename T>
class RingQueue {
 public:
  explicit RingQueue(size_t capacity = 0) : slots_(capacity) {}

  bool is_empty() const { return size_ == 0; }
  bool is_full() const { return size_ == slots_.size(); }
  size_t size() const { return size_; }

  // 0 is the oldest.
  T& operator[](size_t index) { return slots_[position(index)]; }
  const T& operator[](size_t index) const { return slots_[position(index)]; }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }

  // There must be room. push(): one more T(), to be filled in place.
  T& push() {
    BW_CHECK(!is_full());
    return slots_[position(size_++)];
  }
  void push(T value) { push() = std::move(value); }
  // What the oldest held is released at once.
  void pop() {
    BW_CHECK(!is_empty());
    slots_[begin_] = T();
    --size_;
    // An empty queue begins anew where it is in the processor's caches.
    begin_ = size_ == 0 || begin_ + 1 == slots_.size() ? 0 : begin_ + 1;
  }
  void clear() {
    while (!is_empty()) pop();
  }

 private:
  size_t position(size_t index) const {
    const size_t at = begin_ + index;
    return at < slots_.size() ? at : at - slots_.size();
  }

  std::vector<T> slots_;
  size_t begin_ = 0;
  size_t size_ = 0;
};

}  // namespace bw
