/* products.c: the two products that Sinter's interpreters take from OpenBLAS, for a command that is linked from archives alone: it
 * folds constants with them, and an OpenBLAS with the kernels of all processors would be half of its size.
 *
 * Only what is called is there: row-major, the right side transposed, no scaling. Sums of one element go in eight streams,
 * so that compilers use vectors; each result depends on its row and column alone. */
#include <cblas.h>
#include <stddef.h>

#define STREAMS 8
#define PRODUCT(name, type)                                                                                             \
  void name(const enum CBLAS_ORDER order, const enum CBLAS_TRANSPOSE left, const enum CBLAS_TRANSPOSE right,            \
            const blasint rows, const blasint columns, const blasint depth, const type alpha, const type *a,           \
            const blasint a_stride, const type *b, const blasint b_stride, const type beta, type *c,                   \
            const blasint c_stride) {                                                                                  \
    (void)order, (void)left, (void)right, (void)alpha, (void)beta;                                                     \
    for (ptrdiff_t i = 0; i < rows; i++)                                                                                \
      for (ptrdiff_t j = 0; j < columns; j++) {                                                                        \
        const type *x = a + i * a_stride, *y = b + j * b_stride;                                                       \
        type sums[STREAMS] = {0}, sum = 0;                                                                             \
        ptrdiff_t k = 0;                                                                                               \
        for (; k + STREAMS <= depth; k += STREAMS)                                                                     \
          for (int s = 0; s < STREAMS; s++) sums[s] += x[k + s] * y[k + s];                                            \
        for (int s = 0; s < STREAMS; s++) sum += sums[s];                                                              \
        for (; k < depth; k++) sum += x[k] * y[k];                                                                     \
        c[i * c_stride + j] = sum;                                                                                     \
      }                                                                                                                \
  }

PRODUCT(cblas_sgemm, float)
PRODUCT(cblas_dgemm, double)
