// SPDX-License-Identifier: Apache-2.0
// Counting replacements of the global operators new and delete, for programs that want invariant 7 checked to
// the last allocation. Not part of the library: a program opts in by linking amphora_allocation_hook.
#include <cstdint>
#include <cstdlib>
#include <new>

#include "sim/checkers/memory_checker.hpp"

namespace {

thread_local std::uint64_t t_allocation_count = 0;

std::uint64_t count_of_this_thread() {
  return t_allocation_count;
}

struct Registration {
  Registration() { amphora::sim::set_allocation_counter(&count_of_this_thread); }
} const kRegistration;

void* allocate(std::size_t size) {
  ++t_allocation_count;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) {
    std::abort();
  }
  return memory;
}

void* allocate_aligned(std::size_t size, std::align_val_t alignment) {
  ++t_allocation_count;
  const auto align = static_cast<std::size_t>(alignment);
  void* memory = std::aligned_alloc(align, (size + align - 1) / align * align);
  if (memory == nullptr) {
    std::abort();
  }
  return memory;
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size);
}
void* operator new[](std::size_t size) {
  return allocate(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate_aligned(size, alignment);
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate_aligned(size, alignment);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
