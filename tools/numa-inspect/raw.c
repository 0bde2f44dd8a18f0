/*
 * The tables as the parsers read them, entry by entry, disabled ones too, as JSON: for comparing
 * with what other decoders read. What a parser does not read is not here.
 */
#include <stdio.h>

#include "inspect.h"

static const char *json_bool(bool value)
{
	return value ? "true" : "false";
}

static void raw_header(const struct acpi_header *header)
{
	printf("    \"header\": {\"signature\": ");
	json_text(header->signature);
	printf(", \"length\": %u, \"revision\": %u, \"checksum_ok\": %s, \"oem_id\": ",
	       header->length, header->revision, json_bool(header->checksum_ok));
	json_text(header->oem_id);
	printf(", \"oem_table_id\": ");
	json_text(header->oem_table_id);
	printf("},\n");
}

static void raw_srat(const struct acpi_srat *srat)
{
	printf("  \"srat\": {\n");
	raw_header(&srat->header);
	printf("    \"cpus\": [");
	for (u32 i = 0; i < srat->nr_cpus; i++)
		printf("%s\n      {\"x2apic\": %s, \"apic_id\": %u, \"domain\": %u, "
		       "\"enabled\": %s}",
		       i ? "," : "", json_bool(srat->cpus[i].x2apic), srat->cpus[i].apic_id,
		       srat->cpus[i].domain, json_bool(srat->cpus[i].enabled));
	printf("],\n    \"memory\": [");
	for (u32 i = 0; i < srat->nr_memory; i++) {
		const struct acpi_srat_memory *m = &srat->memory[i];

		printf("%s\n      {\"domain\": %u, \"base\": \"0x%llx\", \"length\": \"0x%llx\", "
		       "\"enabled\": %s, \"hotplug\": %s, \"nonvolatile\": %s}",
		       i ? "," : "", m->domain, (unsigned long long)m->base,
		       (unsigned long long)m->length, json_bool(m->enabled), json_bool(m->hotplug),
		       json_bool(m->nonvolatile));
	}
	printf("],\n    \"initiators\": [");
	for (u32 i = 0; i < srat->nr_initiators; i++)
		printf("%s\n      {\"domain\": %u, \"enabled\": %s, \"handle_type\": %u}",
		       i ? "," : "", srat->initiators[i].domain,
		       json_bool(srat->initiators[i].enabled), srat->initiators[i].handle_type);
	printf("],\n    \"unknown\": %u, \"malformed\": %u, \"dropped\": %u, "
	       "\"bytes_unread\": %u\n  }",
	       srat->nr_unknown, srat->nr_malformed, srat->nr_dropped, srat->bytes_unread);
}

static void raw_slit(const struct acpi_slit *slit)
{
	printf("  \"slit\": {\n");
	raw_header(&slit->header);
	printf("    \"localities\": %llu, \"truncated\": %s, \"bad_local\": %u, "
	       "\"bad_remote\": %u,\n    \"distances\": [",
	       (unsigned long long)slit->localities, json_bool(slit->truncated), slit->nr_bad_local,
	       slit->nr_bad_remote);
	for (u32 from = 0; from < slit->nr_kept; from++) {
		printf("%s\n      [", from ? "," : "");
		for (u32 to = 0; to < slit->nr_kept; to++)
			printf("%s%u", to ? ", " : "", slit->distance[from][to]);
		printf("]");
	}
	printf("]\n  }");
}

static void raw_madt(const struct acpi_madt *madt)
{
	printf("  \"apic\": {\n");
	raw_header(&madt->header);
	printf("    \"lapic_address\": \"0x%llx\",\n    \"cpus\": [",
	       (unsigned long long)madt->lapic_address);
	for (u32 i = 0; i < madt->nr_cpus; i++) {
		const struct acpi_madt_cpu *cpu = &madt->cpus[i];

		printf("%s\n      {\"x2apic\": %s, \"apic_id\": %u, \"uid\": %u, \"enabled\": %s, "
		       "\"online_capable\": %s}",
		       i ? "," : "", json_bool(cpu->x2apic), cpu->apic_id, cpu->uid,
		       json_bool(cpu->enabled), json_bool(cpu->online_capable));
	}
	printf("],\n    \"malformed\": %u, \"dropped\": %u, \"bytes_unread\": %u\n  }",
	       madt->nr_malformed, madt->nr_dropped, madt->bytes_unread);
}

static void raw_hmat_matrix(const struct acpi_hmat *hmat, const struct acpi_hmat_matrix *matrix)
{
	const u32 *rows = &hmat->domains[matrix->first_domain];
	const u32 *columns = rows + matrix->nr_initiators;

	printf("{\"data\": %u, \"level\": %u, \"initiators\": [", matrix->data, matrix->level);
	for (u32 i = 0; i < matrix->nr_initiators; i++)
		printf("%s%u", i ? ", " : "", rows[i]);
	printf("], \"targets\": [");
	for (u32 i = 0; i < matrix->nr_targets; i++)
		printf("%s%u", i ? ", " : "", columns[i]);
	printf("], \"values\": [");
	for (u32 i = 0; i < matrix->nr_initiators; i++) {
		printf("%s[", i ? ", " : "");
		for (u32 j = 0; j < matrix->nr_targets; j++)
			printf("%s%u", j ? ", " : "", acpi_hmat_value(hmat, matrix, i, j));
		printf("]");
	}
	printf("]}");
}

/* Latencies in nanoseconds, bandwidths in MB/s, whatever the revision's units. */
static void raw_hmat(const struct acpi_hmat *hmat)
{
	printf("  \"hmat\": {\n");
	raw_header(&hmat->header);
	printf("    \"attributes\": [");
	for (u32 i = 0; i < hmat->nr_attributes; i++) {
		const struct acpi_hmat_attributes *a = &hmat->attributes[i];

		printf("%s\n      {\"memory\": %u, \"memory_valid\": %s, \"initiator\": %u, "
		       "\"initiator_valid\": %s}",
		       i ? "," : "", a->memory, json_bool(a->memory_valid), a->initiator,
		       json_bool(a->initiator_valid));
	}
	printf("],\n    \"matrices\": [");
	for (u32 i = 0; i < hmat->nr_matrices; i++) {
		printf("%s\n      ", i ? "," : "");
		raw_hmat_matrix(hmat, &hmat->matrices[i]);
	}
	printf("],\n    \"caches\": [");
	for (u32 i = 0; i < hmat->nr_caches; i++) {
		const struct acpi_hmat_cache *c = &hmat->caches[i];

		printf("%s\n      {\"memory\": %u, \"size\": \"0x%llx\", \"level\": %u, "
		       "\"levels\": %u, \"line_bytes\": %u}",
		       i ? "," : "", c->memory, (unsigned long long)c->size_bytes, c->level,
		       c->levels, c->line_bytes);
	}
	printf("],\n    \"unknown\": %u, \"malformed\": %u, \"dropped\": %u, "
	       "\"bytes_unread\": %u\n  }",
	       hmat->nr_unknown, hmat->nr_malformed, hmat->nr_dropped, hmat->bytes_unread);
}

void show_raw(const struct machine *machine)
{
	const char *between = "{\n";

	if (machine->tables.have_srat) {
		printf("%s", between);
		raw_srat(&machine->tables.srat);
		between = ",\n";
	}
	if (machine->tables.have_slit) {
		printf("%s", between);
		raw_slit(&machine->tables.slit);
		between = ",\n";
	}
	if (machine->tables.have_madt) {
		printf("%s", between);
		raw_madt(&machine->tables.madt);
		between = ",\n";
	}
	if (machine->tables.have_hmat) {
		printf("%s", between);
		raw_hmat(&machine->tables.hmat);
		between = ",\n";
	}
	printf("%s}\n", between[0] == ',' ? "\n" : "{");
}
