/* It is in row 9 of ten. */
                  Signature : "SLIT"    [System Locality Information Table]
               Table Length : 00000000
                   Revision : 01
                   Checksum : 00
                     Oem ID : "HIGHWT"
               Oem Table ID : "ACPI KIT"
               Oem Revision : 00000001
            Asl Compiler ID : "INTL"
      Asl Compiler Revision : 00000000

                 Localities : 000000000000000A
               Locality   0 : 0A 14 14 14 14 14 14 14 14 14
               Locality   1 : 14 0A 14 14 14 14 14 14 14 14
               Locality   2 : 14 14 0A 14 14 14 14 14 14 14
               Locality   3 : 14 14 14 0A 14 14 14 14 14 14
               Locality   4 : 14 14 14 14 0A 14 14 14 14 14
               Locality   5 : 14 14 14 14 14 0A 14 14 14 14
               Locality   6 : 14 14 14 14 14 14 0A 14 14 14
               Locality   7 : 14 14 14 14 14 14 14 0A 14 14
               Locality   8 : 14 14 14 14 14 14 14 14 0A 14
               Locality   9 : 14 14 14 14 14 14 14 14 14 0A
