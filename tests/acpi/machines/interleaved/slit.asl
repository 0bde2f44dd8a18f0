/* A square. */
                  Signature : "SLIT"    [System Locality Information Table]
               Table Length : 00000000
                   Revision : 01
                   Checksum : 00
                     Oem ID : "HIGHWT"
               Oem Table ID : "ACPI KIT"
               Oem Revision : 00000001
            Asl Compiler ID : "INTL"
      Asl Compiler Revision : 00000000

                 Localities : 0000000000000004
               Locality   0 : 0A 10 16 10
               Locality   1 : 10 0A 10 16
               Locality   2 : 16 10 0A 10
               Locality   3 : 10 16 10 0A
