// SPDX-License-Identifier: MIT
// CustomOp/kernels/cuda/device_memory.cuh for the emulator: others may have their turn at every access that
// they can see.
#pragma once
#include "emulator/emulator.h"

namespace cats::cuda {

struct alignas(16) Words {
  uint32_t x, y, z, w;
};

struct alignas(8) WordPair {
  uint32_t x, y;
};

template <class Cell>
void Send(Cell* cell, Cell v) {
  *cell = v;
  emulator::Yield();
}
inline void Send(Words* cell, Words v) { Send<Words>(cell, v); }
inline void Send(WordPair* cell, WordPair v) { Send<WordPair>(cell, v); }

template <class Cell>
Cell Peek(const Cell* cell) {
  emulator::Yield();
  return *cell;
}

template <class Shared>
Shared& DynamicShared() {
  return *reinterpret_cast<Shared*>(emulator::current->block->shared.get());
}

inline void Fence() { emulator::Yield(); }

template <class V>
V Load(const V& value) {
  emulator::Yield();
  return value;
}

template <class V>
void Store(V& place, V value) {
  place = value;
  emulator::Yield();
}

template <int Threads>
void NamedBarrier() {
  emulator::Wait(emulator::current->block->named, Threads);
}

inline uint4 LoadNow(const uint4* p) { return *p; }
inline uint4 LoadOnce(const uint4* p) { return *p; }
inline void Discard(const void*) {}

template <int Count>
void TakeRegisters() {}
template <int Count>
void GiveRegisters() {}

}  // namespace cats::cuda
