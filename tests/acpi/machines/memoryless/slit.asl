/* The nearest to domain 1 is domain 2. */
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
               Locality   0 : 0A 1E 14
               Locality   1 : 1E 0A 0C
               Locality   2 : 14 0C 0A
