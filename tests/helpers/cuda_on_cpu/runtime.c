/* The driver and the runtime of CUDA as far as GeNN calls them, with one device whose memory is the host's.

   Compiled twice: as libcuda.so.1 and as libcudart.so.NN. The device can run nothing: it is there so that code
   is generated for it, and so that arrays of a model that runs on the CPU (cuda_on_cpu.h) have a place.
   CUDA_ON_CPU_FREE is the memory in bytes that it says is free. */
#include <cuda_runtime_api.h>
#include <stdlib.h>
#include <string.h>

static size_t free_bytes(void) {
    const char *given = getenv("CUDA_ON_CPU_FREE");
    return given ? strtoull(given, NULL, 10) : (size_t)64 << 30;
}

#ifdef DRIVER
int cuInit(unsigned int flags) { return 0; }
int cuDeviceGetCount(int *count) { return *count = 1, 0; }
int cuDeviceGet(int *device, int number) { return *device = number, 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { return *context = (void *)1, 0; }
int cuDevicePrimaryCtxRelease_v2(int device) { return 0; }
int cuCtxPushCurrent_v2(void *context) { return 0; }
int cuCtxPopCurrent_v2(void **context) { return 0; }
int cuMemGetInfo_v2(size_t *free, size_t *total) { return *free = free_bytes(), *total = (size_t)80 << 30, 0; }
/* For GeNN's search for the best size of blocks, which is not used. */
#define ABSENT(name) int name(void) { return 801; }
ABSENT(cuCtxCreate_v2) ABSENT(cuCtxCreate_v4) ABSENT(cuCtxDestroy_v2) ABSENT(cuCtxSetCurrent) ABSENT(cuModuleLoad)
ABSENT(cuModuleUnload) ABSENT(cuModuleGetFunction) ABSENT(cuFuncGetAttribute) ABSENT(cuGetErrorName)
ABSENT(cuGetErrorString)
#else
cudaError_t cudaSetDevice(int device) { return cudaSuccess; }
cudaError_t cudaGetDeviceCount(int *count) { return *count = 1, cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int *version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaSetDeviceFlags(unsigned int flags) { return cudaSuccess; }
const char *cudaGetErrorString(cudaError_t error) { return "error of a device that is not there"; }
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *found, int device) {
    memset(found, 0, sizeof *found);
    strcpy(found->name, "no device");
    found->major = 8; /* compiles with every toolkit from 11 on */
    found->totalGlobalMem = (size_t)80 << 30;
    found->totalConstMem = 65536;
    found->warpSize = 32;
    found->maxThreadsPerBlock = 1024;
    found->maxGridSize[0] = found->maxGridSize[1] = found->maxGridSize[2] = 0x7fffffff;
    found->maxThreadsDim[0] = found->maxThreadsDim[1] = 1024;
    found->canMapHostMemory = 1;
    return cudaSuccess;
}
cudaError_t cudaMalloc(void **pointer, size_t size) {
    return *pointer = calloc(size ? size : 1, 1), *pointer ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaHostAlloc(void **pointer, size_t size, unsigned int flags) { return cudaMalloc(pointer, size); }
cudaError_t cudaHostGetDevicePointer(void **device, void *host, unsigned int flags) { return *device = host, cudaSuccess; }
cudaError_t cudaFree(void *pointer) { return free(pointer), cudaSuccess; }
cudaError_t cudaFreeHost(void *pointer) { return free(pointer), cudaSuccess; }
cudaError_t cudaMemset(void *pointer, int value, size_t size) { return memset(pointer, value, size), cudaSuccess; }
cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
    return memcpy(to, from, size), cudaSuccess;
}
#endif
