// What an object keeps from one step, round or evaluation to the next, named once:
//
//   void describe(State& state) override { state.vector("x", x_), state.counter("turn", turn_); }
//
// Whoever saves, loads or moves that state is a visitor of the description, as readers of a
// configuration are visitors of config/fields.h. Scratch, which is written before it is read, is
// not state. An object that was made anew with the same options and given the state of another goes
// on as the other would.
#pragma once

#include <cstdint>
#include <string>

#include "base/view.h"

namespace easgd {

/// Visitor. Names are unique within an object; they and the order of the calls stay the same for
/// the object's life.
class State {
 public:
  virtual ~State() = default;
  /// In the memory of the object's device.
  virtual void vector(const std::string& name, View values) = 0;
  virtual void counter(const std::string& name, std::uint64_t& value) = 0;
  virtual void number(const std::string& name, double& value) = 0;

  void flag(const std::string& name, bool& value) {
    std::uint64_t number = value;
    counter(name, number);
    value = number != 0;
  }
};

}  // namespace easgd
