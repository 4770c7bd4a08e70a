#include "base/trace.h"

#include <pthread.h>

#if __has_include(<nvtx3/nvToolsExt.h>)
#define EASGD_NVTX
#include <nvtx3/nvToolsExt.h>
#include <unistd.h>
#endif

namespace easgd {
namespace {

void name_for_system(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

}  // namespace

#ifdef EASGD_NVTX

namespace {

nvtxDomainHandle_t domain() {
  static const nvtxDomainHandle_t kDomain = nvtxDomainCreateA("easgd");
  return kDomain;
}

}  // namespace

bool can_trace() {
  return true;
}

void name_thread(const std::string& name) {
  name_for_system(name);
  domain();  // NVTX sets itself up with its first call, and two first calls at once would race
  nvtxNameOsThreadA(std::uint32_t(gettid()), name.c_str());
}

TraceScope::TraceScope(const char* name) {
  nvtxEventAttributes_t event{};
  event.version = NVTX_VERSION;
  event.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
  event.messageType = NVTX_MESSAGE_TYPE_ASCII;
  event.message.ascii = name;
  nvtxDomainRangePushEx(domain(), &event);
}

TraceScope::~TraceScope() {
  nvtxDomainRangePop(domain());
}

#else

bool can_trace() {
  return false;
}
void name_thread(const std::string& name) {
  name_for_system(name);
}
TraceScope::TraceScope(const char*) {}
TraceScope::~TraceScope() = default;

#endif

}  // namespace easgd
