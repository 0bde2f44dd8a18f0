/* Two CPUs. */
                  Signature : "APIC"    [Multiple APIC Description Table (MADT)]
               Table Length : 00000000
                   Revision : 03
                   Checksum : 00
                     Oem ID : "HIGHWT"
               Oem Table ID : "ACPI KIT"
               Oem Revision : 00000001
            Asl Compiler ID : "INTL"
      Asl Compiler Revision : 00000000

         Local Apic Address : FEE00000
      Flags (decoded below) : 00000001
        PC-AT Compatibility : 1

              Subtable Type : 00    [Processor Local APIC]
                     Length : 08
               Processor ID : 00
              Local Apic ID : 00
      Flags (decoded below) : 00000001
          Processor Enabled : 1
     Runtime Online Capable : 0

              Subtable Type : 00    [Processor Local APIC]
                     Length : 08
               Processor ID : 01
              Local Apic ID : 01
      Flags (decoded below) : 00000001
          Processor Enabled : 1
     Runtime Online Capable : 0

              Subtable Type : 01    [I/O APIC]
                     Length : 0C
                I/O Apic ID : 00
                   Reserved : 00
                    Address : FEC00000
                  Interrupt : 00000000
