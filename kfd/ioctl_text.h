// Owns: the requests of /dev/kfd and of render nodes as text: names, arguments, results.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace bw::kfd {

// Copies memory of whoever makes the call; false where there is none at the address.
using CallerMemory = std::function<bool(void* destination, uint64_t address, size_t size_bytes)>;

// "ALLOC_MEMORY_OF_GPU"; the number in hex for a request that is not known.
std::string request_name(unsigned long request);
// Whether the call may wait for something to happen.
bool request_may_block(unsigned long request);
// "gpu=51166 va=@7f0000000000 size=0x1000", as they stand at the address before the call, and what the call has put
// there; "" where there is nothing to tell. Structs are read in the size that the request says, shorter or longer than
// the one known here: requests are known by type and number, as the kernel does it.
std::string request_arguments(unsigned long request, const void* argument, const CallerMemory& memory);
std::string request_results(unsigned long request, const void* argument, const CallerMemory& memory);

}  // namespace bw::kfd
