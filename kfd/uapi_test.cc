// Holds kfd/uapi.h against the system's <linux/kfd_ioctl.h>, whatever KFD version that is of.
#include "kfd/uapi.h"

#include <gtest/gtest.h>
#include <linux/kfd_ioctl.h>

namespace bw::kfd::uapi {
namespace {

#define EXPECT_SAME_LAYOUT(ours, theirs) EXPECT_EQ(sizeof(ours), sizeof(struct theirs))

TEST(Uapi, SizesAreThoseOfTheSystemHeader) {
  EXPECT_SAME_LAYOUT(GetVersionArgs, kfd_ioctl_get_version_args);
  EXPECT_SAME_LAYOUT(DestroyQueueArgs, kfd_ioctl_destroy_queue_args);
  EXPECT_SAME_LAYOUT(UpdateQueueArgs, kfd_ioctl_update_queue_args);
  EXPECT_SAME_LAYOUT(SetMemoryPolicyArgs, kfd_ioctl_set_memory_policy_args);
  EXPECT_SAME_LAYOUT(GetClockCountersArgs, kfd_ioctl_get_clock_counters_args);
  EXPECT_SAME_LAYOUT(DeviceApertures, kfd_process_device_apertures);
  EXPECT_SAME_LAYOUT(GetProcessAperturesArgs, kfd_ioctl_get_process_apertures_new_args);
  EXPECT_SAME_LAYOUT(AcquireVmArgs, kfd_ioctl_acquire_vm_args);
  EXPECT_SAME_LAYOUT(AllocMemoryArgs, kfd_ioctl_alloc_memory_of_gpu_args);
  EXPECT_SAME_LAYOUT(MapMemoryArgs, kfd_ioctl_map_memory_to_gpu_args);
  EXPECT_SAME_LAYOUT(UnmapMemoryArgs, kfd_ioctl_unmap_memory_from_gpu_args);
  EXPECT_SAME_LAYOUT(CreateEventArgs, kfd_ioctl_create_event_args);
  EXPECT_SAME_LAYOUT(MemoryExceptionData, kfd_hsa_memory_exception_data);
  EXPECT_SAME_LAYOUT(HwExceptionData, kfd_hsa_hw_exception_data);
  EXPECT_SAME_LAYOUT(EventData, kfd_event_data);
  EXPECT_SAME_LAYOUT(WaitEventsArgs, kfd_ioctl_wait_events_args);
  EXPECT_SAME_LAYOUT(SvmArgs, kfd_ioctl_svm_args);
}

// CREATE_QUEUE grew in 1.17, so that its number may differ from an older header's in the size, and in that only.
TEST(Uapi, NumbersAreThoseOfTheSystemHeader) {
  EXPECT_EQ(kGetVersion, AMDKFD_IOC_GET_VERSION);
  EXPECT_EQ(request_nr(kCreateQueue), _IOC_NR(AMDKFD_IOC_CREATE_QUEUE));
  EXPECT_EQ(kDestroyQueue, AMDKFD_IOC_DESTROY_QUEUE);
  EXPECT_EQ(kSetMemoryPolicy, AMDKFD_IOC_SET_MEMORY_POLICY);
  EXPECT_EQ(kGetClockCounters, AMDKFD_IOC_GET_CLOCK_COUNTERS);
  EXPECT_EQ(kUpdateQueue, AMDKFD_IOC_UPDATE_QUEUE);
  EXPECT_EQ(kCreateEvent, AMDKFD_IOC_CREATE_EVENT);
  EXPECT_EQ(kDestroyEvent, AMDKFD_IOC_DESTROY_EVENT);
  EXPECT_EQ(kSetEvent, AMDKFD_IOC_SET_EVENT);
  EXPECT_EQ(kResetEvent, AMDKFD_IOC_RESET_EVENT);
  EXPECT_EQ(kWaitEvents, AMDKFD_IOC_WAIT_EVENTS);
  EXPECT_EQ(kSetScratchBackingVa, AMDKFD_IOC_SET_SCRATCH_BACKING_VA);
  EXPECT_EQ(kSetTrapHandler, AMDKFD_IOC_SET_TRAP_HANDLER);
  EXPECT_EQ(kGetProcessApertures, AMDKFD_IOC_GET_PROCESS_APERTURES_NEW);
  EXPECT_EQ(kAcquireVm, AMDKFD_IOC_ACQUIRE_VM);
  EXPECT_EQ(kAllocMemory, AMDKFD_IOC_ALLOC_MEMORY_OF_GPU);
  EXPECT_EQ(kFreeMemory, AMDKFD_IOC_FREE_MEMORY_OF_GPU);
  EXPECT_EQ(kMapMemory, AMDKFD_IOC_MAP_MEMORY_TO_GPU);
  EXPECT_EQ(kUnmapMemory, AMDKFD_IOC_UNMAP_MEMORY_FROM_GPU);
  EXPECT_EQ(kSvm, AMDKFD_IOC_SVM);
  EXPECT_EQ(kSetXnackMode, AMDKFD_IOC_SET_XNACK_MODE);
  EXPECT_EQ(kAvailableMemory, AMDKFD_IOC_AVAILABLE_MEMORY);
}

TEST(Uapi, FlagsAndEnumeratorsAreThoseOfTheSystemHeader) {
  EXPECT_EQ(alloc_flag::kVram, uint32_t{KFD_IOC_ALLOC_MEM_FLAGS_VRAM});
  EXPECT_EQ(alloc_flag::kGtt, uint32_t{KFD_IOC_ALLOC_MEM_FLAGS_GTT});
  EXPECT_EQ(alloc_flag::kUserptr, uint32_t{KFD_IOC_ALLOC_MEM_FLAGS_USERPTR});
  EXPECT_EQ(alloc_flag::kDoorbell, uint32_t{KFD_IOC_ALLOC_MEM_FLAGS_DOORBELL});
  EXPECT_EQ(alloc_flag::kUncached, uint32_t{KFD_IOC_ALLOC_MEM_FLAGS_UNCACHED});
  EXPECT_EQ(alloc_flag::kCoherent, uint32_t{KFD_IOC_ALLOC_MEM_FLAGS_COHERENT});
  EXPECT_EQ(alloc_flag::kPublic, uint32_t{KFD_IOC_ALLOC_MEM_FLAGS_PUBLIC});
  EXPECT_EQ(alloc_flag::kExecutable, uint32_t{KFD_IOC_ALLOC_MEM_FLAGS_EXECUTABLE});
  EXPECT_EQ(static_cast<uint32_t>(QueueType::kComputeAql), KFD_IOC_QUEUE_TYPE_COMPUTE_AQL);
  EXPECT_EQ(static_cast<uint32_t>(EventType::kHwException), KFD_IOC_EVENT_HW_EXCEPTION);
  EXPECT_EQ(static_cast<uint32_t>(EventType::kMemory), KFD_IOC_EVENT_MEMORY);
  EXPECT_EQ(static_cast<uint32_t>(WaitResult::kTimeout), KFD_IOC_WAIT_RESULT_TIMEOUT);
}

}  // namespace
}  // namespace bw::kfd::uapi
