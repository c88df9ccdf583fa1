// Owns: the fixtures of tests that hand packets to a queue as literal dwords, on a machine that is reached through its
// system calls.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/bits.h"
#include "emulator/testing/machine.h"

namespace bw::emulator::testing {

// A machine, one queue on it, and memory for the packets to work on.
class PacketTest : public ::testing::Test {
 protected:
  void submit(const std::vector<uint32_t>& dwords) { machine_.submit(queue_, dwords); }
  void run(const std::vector<uint32_t>& dwords) {
    submit(dwords);
    EXPECT_TRUE(machine_.drain(queue_));
  }
  // A packet that must stop the queue: its report's message.
  std::string fault(const std::vector<uint32_t>& dwords) {
    submit(dwords);
    return machine_.wait_fault().message;
  }
  // The same on a queue of its own, so that a test can have many.
  virtual std::string fault_alone(const std::vector<uint32_t>& dwords) = 0;
  // Address of a dword of the data.
  uint64_t at(size_t dword) const { return data_.va + dword * 4; }

  Machine machine_;
  TestQueue queue_;
  TestBuffer data_ = machine_.gtt(65536);

  std::string fault_on(TestQueue other, const std::vector<uint32_t>& dwords) {
    const size_t before = machine_.driver().fault_reports().size();
    machine_.submit(other, dwords);
    std::string message = machine_.wait_fault(before + 1).message;
    EXPECT_EQ(machine_.destroy(other), 0);
    return message;
  }
};

class Pm4 : public PacketTest {
 protected:
  Pm4() { queue_ = machine_.compute_queue(); }
  std::string fault_alone(const std::vector<uint32_t>& dwords) override {
    return fault_on(machine_.compute_queue(), dwords);
  }
  static std::vector<uint32_t> indirect_buffer(uint64_t address, uint32_t control) {
    return {0xc0023f00, lo32(address), hi32(address), control};
  }
};

class Sdma : public PacketTest {
 protected:
  Sdma() { queue_ = machine_.sdma_queue(); }
  std::string fault_alone(const std::vector<uint32_t>& dwords) override {
    return fault_on(machine_.sdma_queue(), dwords);
  }
};

}  // namespace bw::emulator::testing
