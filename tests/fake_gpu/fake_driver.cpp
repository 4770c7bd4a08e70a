// A driver that is none: enough of libcuda.so.1 to be found.
extern "C" int cuInit(unsigned) {
  return 0;
}
