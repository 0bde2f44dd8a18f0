#include <asm/preempt.h>
void preempt_schedule(void)
{
}
