#include "bench.h"
void group_cold(bench *b)
{
	(void)b;
}
