/* As if all were there. */
                  Signature : "SLIT"    [System Locality Information Table]
               Table Length : 00000000
                   Revision : 01
                   Checksum : 00
                     Oem ID : "HIGHWT"
               Oem Table ID : "ACPI KIT"
               Oem Revision : 00000001
            Asl Compiler ID : "INTL"
      Asl Compiler Revision : 00000000

                 Localities : 0000000000000006
               Locality   0 : 0A 19 19 19 19 19
               Locality   1 : 19 0A 19 19 19 19
               Locality   2 : 19 19 0A 19 19 19
               Locality   3 : 19 19 19 0A 19 19
               Locality   4 : 19 19 19 19 0A 19
               Locality   5 : 19 19 19 19 19 0A
