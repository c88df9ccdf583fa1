// Owns: the fake machine opened the way a program opens it: the start of most tests of this room.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "kfd/process.h"
#include "kfd/testing/failing_driver.h"
#include "kfd/testing/fake_driver.h"

namespace bw::kfd::testing {

class OpenMachine : public ::testing::Test {
 protected:
  // Closes all; whatever the test has not given back by then is a leak.
  void close_and_expect_no_leaks() {
    second_.reset();
    gpu_.reset();
    process_.reset();
    EXPECT_EQ(driver_.leaks(), "");
  }

  FakeDriver fake_;
  FailingDriver driver_{fake_};
  std::vector<Node> nodes_ = read_topology(fake_).value();
  std::unique_ptr<Process> process_ = Process::open(driver_).value();
  std::unique_ptr<Gpu> gpu_ = Gpu::open(*process_, nodes_[1]).value();
  std::unique_ptr<Gpu> second_ = Gpu::open(*process_, nodes_[2]).value();
};

}  // namespace bw::kfd::testing
