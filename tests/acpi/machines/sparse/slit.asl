/* Five localities, of which only 1 and 4 are in use. */
                  Signature : "SLIT"    [System Locality Information Table]
               Table Length : 00000000
                   Revision : 01
                   Checksum : 00
                     Oem ID : "HIGHWT"
               Oem Table ID : "ACPI KIT"
               Oem Revision : 00000001
            Asl Compiler ID : "INTL"
      Asl Compiler Revision : 00000000

                 Localities : 0000000000000005
               Locality   0 : 0A 63 63 63 63
               Locality   1 : 63 0A 63 63 10
               Locality   2 : 63 63 0A 63 63
               Locality   3 : 63 63 63 0A 63
               Locality   4 : 63 10 63 63 0A
