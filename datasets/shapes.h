// The ten outlines of the synthetic set.
//
// Each is symmetric about its v axis, so that a mirrored picture shows the same class. All
// arithmetic is in integers: the same pixels on every machine and with every compiler.
#pragma once

#include <array>
#include <cstdint>

namespace easgd::shapes {

/// A point of the shape's own frame; the shape fits the circle of radius 1024 around (0, 0).
struct Point {
  std::int32_t u;
  std::int32_t v;
};

constexpr std::int32_t magnitude(std::int32_t value) {
  return value < 0 ? -value : value;
}
constexpr std::int32_t larger(std::int32_t a, std::int32_t b) {
  return a > b ? a : b;
}

/// Within `radius` of (0, offset).
constexpr bool in_disc(Point p, std::int32_t radius, std::int32_t offset = 0) {
  const std::int32_t v = p.v - offset;
  return p.u * p.u + v * v < radius * radius;
}

constexpr bool in_box(Point p, std::int32_t half_width, std::int32_t half_height) {
  return magnitude(p.u) < half_width && magnitude(p.v) < half_height;
}

inline bool disc(Point p) {
  return in_disc(p, 860);
}
inline bool ring(Point p) {
  return in_disc(p, 960) && !in_disc(p, 560);
}
inline bool square(Point p) {
  return in_box(p, 720, 720);
}
inline bool frame(Point p) {
  return in_box(p, 800, 800) && !in_box(p, 440, 440);
}
inline bool cross(Point p) {
  return in_box(p, 300, 960) || in_box(p, 960, 300);
}
inline bool bar(Point p) {
  return in_box(p, 980, 280);
}
inline bool crescent(Point p) {
  return in_disc(p, 960) && !in_disc(p, 800, 480);
}
inline bool hourglass(Point p) {
  return magnitude(p.v) < 860 && magnitude(p.u) < 120 + magnitude(p.v) * 3 / 4;
}

/// Equilateral, one corner at (0, 1024): sides v > -512 and sqrt(3) |u| + v < 1024.
inline bool triangle(Point p) {
  return p.v > -512 && magnitude(p.u) * 1774 / 1024 + p.v < 1024;
}

/// Five points: inside at least four of the five lines of a pentagram.
inline bool star(Point p) {
  constexpr std::array<Point, 5> kNormals{
      {{0, -1024}, {974, -316}, {602, 828}, {-602, 828}, {-974, -316}}};
  int inside = 0;
  for (const Point n : kNormals) inside += n.u * p.u + n.v * p.v < 390 * 1024;
  return inside >= 4;
}

using Inside = bool (*)(Point);
constexpr std::array<Inside, 10> kAll{disc,  ring, square,   frame,     triangle,
                                      cross, star, crescent, hourglass, bar};

}  // namespace easgd::shapes
