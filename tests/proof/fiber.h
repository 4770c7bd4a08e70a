// A thread of a scenario: it runs until it pauses, and then only when it is told to.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <functional>
#include <memory>
#include <vector>

namespace easgd::proof {

class Fiber {
 public:
  Fiber();
  /// Begins anew. What it was in the middle of is forgotten: nothing on its stack is destroyed.
  void start(std::function<void()> body);
  /// Runs it until it pauses or ends.
  void resume();
  /// From within.
  void pause();

  /// A paused fiber as it is. Put back into the same one, it goes on from there.
  struct Saved {
    std::vector<char> stack;  ///< what is in use of it, at its end
    jmp_buf here;
  };
  void save(Saved& to) const;
  void restore(const Saved& from);

 private:
  static void enter(unsigned low, unsigned high);

  static constexpr std::size_t kStack = std::size_t(64) << 10;
  std::unique_ptr<char[]> stack_ = std::make_unique<char[]>(kStack);
  std::function<void()> body_;
  char* top_ = nullptr;  // what lies before is not in use while it is paused
  bool fresh_ = false;
  ucontext_t context_;
  jmp_buf here_, caller_;
};

}  // namespace easgd::proof
