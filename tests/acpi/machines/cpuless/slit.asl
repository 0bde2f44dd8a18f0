/* A line: 0 - 1 - 2. */
                  Signature : "SLIT"    [System Locality Information Table]
               Table Length : 00000000
                   Revision : 01
                   Checksum : 00
                     Oem ID : "HIGHWT"
               Oem Table ID : "ACPI KIT"
               Oem Revision : 00000001
            Asl Compiler ID : "INTL"
      Asl Compiler Revision : 00000000

                 Localities : 0000000000000003
               Locality   0 : 0A 11 1C
               Locality   1 : 11 0A 11
               Locality   2 : 1C 11 0A
