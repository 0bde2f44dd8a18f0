/*
 * What was chosen at boot: for each seed's mechanism, which of its behaviours is installed.
 *
 * mm.profile sets all four, mm.<mechanism> overrides one. A mechanism reads its own choice when
 * it installs its policy; nothing else asks for it by name.
 */
#ifndef MM_POLICY_H
#define MM_POLICY_H

#include <base/types.h>

enum mm_behaviour { MM_BEFORE, MM_POSTED, MM_AFTER, MM_LAYERED, NR_MM_BEHAVIOURS };
enum mm_mechanism { MM_FALLBACK, MM_CRITICAL, MM_PFMEMALLOC, MM_CAPTURE, NR_MM_MECHANISMS };

/* Boot only, before the mechanism installs its policy. -EINVAL: this mechanism has no such
 * behaviour (only critical is layered). */
int mm_policy_choose(enum mm_mechanism mechanism, enum mm_behaviour behaviour);
enum mm_behaviour mm_policy_chosen(enum mm_mechanism mechanism);
/*
 * The mechanism's own question, once, when it installs the policy of its choice. From then on
 * mm_policy_installed() is true; until then the choice changes nothing, and reports say so.
 */
enum mm_behaviour mm_policy_install(enum mm_mechanism mechanism);
bool mm_policy_installed(enum mm_mechanism mechanism);
const char *mm_behaviour_name(enum mm_behaviour behaviour);
const char *mm_mechanism_name(enum mm_mechanism mechanism);
/* One sentence: what this mechanism does under this behaviour. */
const char *mm_policy_sentence(enum mm_mechanism mechanism, enum mm_behaviour behaviour);

#endif
