// Eight values at a time, of either storage type; one at a time if a row of lanes ends.
#pragma once

#include <cstdint>
#include <cstring>

#include "backend/cpu/storage.h"

namespace easgd::cpu {

using Float8 = float __attribute__((vector_size(32)));
using Int8 = std::int32_t __attribute__((vector_size(32)));
using Short8 = std::uint16_t __attribute__((vector_size(16)));

/// How a loop treats its lanes: kWidth of them together.
struct Eight {
  static constexpr std::size_t kWidth = 8;
  using Float = Float8;
  using Int = Int8;
};
struct One {
  static constexpr std::size_t kWidth = 1;
  using Float = float;
  using Int = std::int32_t;
};

template <class Vector, class T>
inline Vector load(const T* p) {
  Vector v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
template <class Vector, class T>
inline void store(T* p, const Vector& v) {
  std::memcpy(p, &v, sizeof(v));
}

inline void load_floats(const float* p, float& v) {
  v = *p;
}
inline void load_floats(const Bf16* p, float& v) {
  v = *p;
}
inline void load_floats(const float* p, Float8& v) {
  v = load<Float8>(p);
}
inline void load_floats(const Bf16* p, Float8& v) {
  v = std::bit_cast<Float8>(__builtin_convertvector(load<Short8>(p), Int8) << 16);
}

inline void store_floats(float* p, float v) {
  *p = v;
}
inline void store_floats(Bf16* p, float v) {
  *p = Bf16(v);
}
inline void store_floats(float* p, const Float8& v) {
  store(p, v);
}
inline void store_floats(Bf16* p, const Float8& v) {
  for (int i = 0; i < 8; ++i) p[i] = Bf16(v[i]);
}

inline void widen(const std::uint16_t* p, std::int32_t& v) {
  v = *p;
}
inline void widen(const std::uint16_t* p, Int8& v) {
  v = __builtin_convertvector(load<Short8>(p), Int8);
}
inline void widen(const std::uint8_t* p, Int8& v) {
  using Byte16 = std::uint8_t __attribute__((vector_size(16)));
  using Long2 = std::uint64_t __attribute__((vector_size(16)));
  std::uint64_t eight;
  std::memcpy(&eight, p, sizeof eight);
  // Not convertvector: GCC 12 takes bytes one by one.
  const auto b = std::bit_cast<Byte16>(Long2{eight});
  v = std::bit_cast<Int8>(__builtin_shufflevector(b, b, 0, 8, 8, 8, 1, 8, 8, 8, 2, 8, 8, 8, 3, 8, 8,
                                                  8, 4, 8, 8, 8, 5, 8, 8, 8, 6, 8, 8, 8, 7, 8, 8,
                                                  8));
}
inline void narrow(std::uint16_t* p, std::int32_t v) {
  *p = std::uint16_t(v);
}
inline void narrow(std::uint16_t* p, const Int8& v) {
  store(p, __builtin_convertvector(v, Short8));
}
/// Of values below 256.
inline void narrow(std::uint8_t* p, const Int8& v) {
  using Byte32 = std::uint8_t __attribute__((vector_size(32)));
  const auto bytes = std::bit_cast<Byte32>(v);  // not convertvector: GCC 12 extracts one by one
  store(p, __builtin_shufflevector(bytes, bytes, 0, 4, 8, 12, 16, 20, 24, 28));
}

/// Rows become columns.
inline void transpose(Float8 (&r)[8]) {
  Float8 t[8], u[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  for (int i = 0; i < 8; i += 4) {
    for (int k = 0; k < 2; ++k) {
      const Float8 a = t[i + k], b = t[i + k + 2];
      u[i + 2 * k] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
      u[i + 2 * k + 1] = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  for (int i = 0; i < 4; ++i) {
    r[i] = __builtin_shufflevector(u[i], u[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    r[i + 4] = __builtin_shufflevector(u[i], u[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

/// Calls f(Eight{}, lane) for groups of eight lanes and f(One{}, lane) for those left over.
template <class Function>
inline void for_lanes(std::size_t lanes, const Function& f) {
  std::size_t lane = 0;
  for (; lane + 8 <= lanes; lane += 8) f(Eight{}, lane);
  for (; lane < lanes; ++lane) f(One{}, lane);
}

}  // namespace easgd::cpu
