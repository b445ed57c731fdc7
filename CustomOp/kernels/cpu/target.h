// SPDX-License-Identifier: MIT
// CATS_TARGET_BEGIN_<ISA> ... CATS_TARGET_END: code between them is compiled for that instruction set,
// without flags for the whole file (inline functions of the standard library would otherwise be emitted
// with instructions that the processor may not have). Include every header before the region begins.
#pragma once

#if defined(__clang__)
#define CATS_TARGET_BEGIN_AVX2                                                                       \
  _Pragma(                                                                                           \
      "clang attribute push(__attribute__((target(\"avx2,fma,f16c,bmi,bmi2,popcnt\"))), apply_to = " \
      "function)")
#define CATS_TARGET_BEGIN_AVX512                                                              \
  _Pragma(                                                                                    \
      "clang attribute "                                                                      \
      "push(__attribute__((target(\"avx2,fma,f16c,bmi,bmi2,popcnt,avx512f,avx512bw,avx512dq," \
      "avx512vl\"))), apply_to = function)")
#define CATS_TARGET_END _Pragma("clang attribute pop")
#elif defined(__GNUC__)
#define CATS_TARGET_BEGIN_AVX2 \
  _Pragma("GCC push_options") _Pragma("GCC target(\"avx2,fma,f16c,bmi,bmi2,popcnt\")")
#define CATS_TARGET_BEGIN_AVX512 \
  _Pragma("GCC push_options")    \
      _Pragma("GCC target(\"avx2,fma,f16c,bmi,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl\")")
#define CATS_TARGET_END _Pragma("GCC pop_options")
#else  // MSVC compiles every intrinsic without flags
#define CATS_TARGET_BEGIN_AVX2
#define CATS_TARGET_BEGIN_AVX512
#define CATS_TARGET_END
#endif
